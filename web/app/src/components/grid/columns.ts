// What a column of a grid is, and how wide the columns are.
import type { SortOrder } from '@/lib/grid/gridView';

export interface GridColumn<R> {
  readonly key: string;
  readonly label: string;
  /** What to call the column where there is more room than in the header. */
  readonly name?: string;
  /** Pixels, or `fill` for the one column that takes what is left. */
  readonly width: number | 'fill';
  /** Takes its share of the width that is left, on a screen that is very wide. */
  readonly grows?: boolean;
  readonly align?: 'right';
  /** Without an order, the column cannot be sorted by. */
  readonly order?: SortOrder<R>;
  /** Whether a first click on the header puts the largest first: newest, most urgent. */
  readonly descendingFirst?: boolean;
  /** Not shown while the grid is narrower than so many pixels. */
  readonly hideBelow?: number;
  /** Not shown until a person asks for it. */
  readonly optional?: boolean;
  /** Shows an optional column by itself as soon as a row has something to say there, unless a person has hidden it. */
  readonly saysSomething?: (row: R) => boolean;
  /** The line of a two-line row on which the column stands on a small screen, or beside both; without one it is left out there. */
  readonly line?: 1 | 2 | 'beside';
}

/** Narrower than this, a row has two lines. */
export const NARROW = 520;
export const ROW_HEIGHT = 30;
export const NARROW_ROW_HEIGHT = 52;
/** With the line below it. A grid with two-line rows has no header. */
export const HEADER_HEIGHT = 29;

const LEAST = 48;
const LEAST_FILL = 120;

function leastWidth<R>({ key, width }: GridColumn<R>, widths: ReadonlyMap<string, number>): number {
  return width === 'fill' ? LEAST_FILL : Math.max(LEAST, widths.get(key) ?? width);
}

/**
 * The columns that a grid of some width shows. Where a person has chosen more than fits, those give way first that need the
 * widest grid; columns that are shown at every width stay.
 */
export function shownColumns<R>(columns: readonly GridColumn<R>[], width: number, widths: ReadonlyMap<string, number>): GridColumn<R>[] {
  const shown = columns.filter((column) => width >= (column.hideBelow ?? 0));
  let tooMuch = shown.reduce((sum, column) => sum + leastWidth(column, widths), -width);
  const givingWay = shown.filter((column) => column.hideBelow !== undefined).sort((a, b) => (b.hideBelow ?? 0) - (a.hideBelow ?? 0));
  const gone = new Set<GridColumn<R>>();
  for (const column of givingWay) {
    if (tooMuch <= 0) break;
    tooMuch -= leastWidth(column, widths);
    gone.add(column);
  }
  return shown.filter((column) => !gone.has(column));
}

/**
 * What a person chose to see beyond or instead of the usual columns, as stored: keys, with a minus before hidden ones.
 * `speaking` has the keys of optional columns that say something in some row.
 */
export function chosenColumns<R>(columns: readonly GridColumn<R>[], stored: string, speaking: ReadonlySet<string>): GridColumn<R>[] {
  const words = new Set(stored.split(' '));
  const usual = ({ key, optional }: GridColumn<R>): boolean => !optional || speaking.has(key);
  return columns.filter((column) => column.width === 'fill' || words.has(column.key) || (usual(column) && !words.has(`-${column.key}`)));
}

/** What to store once a column is shown or not. What a person says of a column that comes by itself counts for always. */
export function withColumn<R>(columns: readonly GridColumn<R>[], stored: string, key: string, shown: boolean): string {
  const words = new Set(stored.split(' '));
  words.delete(key);
  words.delete(`-${key}`);
  return columns
    .flatMap((column) => {
      const hidden = `-${column.key}`;
      if (column.key === key) return column.saysSomething || shown === (column.optional === true) ? [shown ? key : hidden] : [];
      return words.has(column.key) ? [column.key] : words.has(hidden) ? [hidden] : [];
    })
    .join(' ');
}

/** The value of `grid-template-columns`; `widths` holds what a person chose. */
export function columnTemplate<R>(columns: readonly GridColumn<R>[], widths: ReadonlyMap<string, number>): string {
  return columns
    .map((column) => {
      if (column.width === 'fill') return `minmax(${LEAST_FILL}px, 1fr)`;
      if (column.grows && !widths.has(column.key)) return `minmax(${column.width}px, 0.4fr)`;
      return `${leastWidth(column, widths)}px`;
    })
    .join(' ');
}

/** Column widths as stored: a JSON object. Anything else counts as nothing stored. */
export function parseWidths(text: string): Map<string, number> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return new Map();
    const numbers = Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
    return new Map(numbers);
  } catch {
    return new Map();
  }
}
