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

/** The columns that a grid of some width shows. */
export function shownColumns<R>(columns: readonly GridColumn<R>[], width: number): GridColumn<R>[] {
  return columns.filter((column) => width >= (column.hideBelow ?? 0));
}

/** What a person chose to see beyond or instead of the usual columns, as stored: keys, with a minus before hidden ones. */
export function chosenColumns<R>(columns: readonly GridColumn<R>[], stored: string): GridColumn<R>[] {
  const words = new Set(stored.split(' '));
  return columns.filter(({ key, width, optional }) => width === 'fill' || (optional ? words.has(key) : !words.has(`-${key}`)));
}

/** What to store once a column is shown or not. */
export function withColumn<R>(columns: readonly GridColumn<R>[], stored: string, key: string, shown: boolean): string {
  const now = new Set(chosenColumns(columns, stored).map((column) => column.key));
  if (shown) now.add(key);
  else now.delete(key);
  return columns
    .flatMap((column) => (column.optional === true) === now.has(column.key) ? [column.optional ? column.key : `-${column.key}`] : [])
    .join(' ');
}

/** The value of `grid-template-columns`; `widths` holds what a person chose. */
export function columnTemplate<R>(columns: readonly GridColumn<R>[], widths: ReadonlyMap<string, number>): string {
  return columns
    .map((column) => {
      if (column.width === 'fill') return `minmax(${LEAST_FILL}px, 1fr)`;
      const chosen = widths.get(column.key);
      if (column.grows && chosen === undefined) return `minmax(${column.width}px, 0.4fr)`;
      return `${Math.max(LEAST, chosen ?? column.width)}px`;
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
