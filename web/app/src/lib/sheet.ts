// Where the tiles of a contact sheet lie, so that only those in sight have to exist.

export const LEAST_TILE = 80;
export const MOST_TILE = 400;
export const USUAL_TILE = 200;
export const TILE_GAP = 8;
/** Height of the line below a picture. */
export const CAPTION = 22;

export interface SheetLayout {
  readonly columns: number;
  /** Width of a tile; the tiles of a row share what is left. */
  readonly tileWidth: number;
  /** Height of a row with the gap below it. */
  readonly rowHeight: number;
  readonly height: number;
}

/** Lays out `count` tiles of about `size` pixels in width, whose pictures have the given proportion of width to height. */
export function sheetLayout(count: number, width: number, size: number, proportion: number): SheetLayout {
  const columns = Math.max(1, Math.floor((width + TILE_GAP) / (size + TILE_GAP)));
  const tileWidth = Math.max(1, Math.floor((width - (columns - 1) * TILE_GAP) / columns));
  const rowHeight = Math.round(tileWidth / proportion) + CAPTION + TILE_GAP;
  return { columns, tileWidth, rowHeight, height: Math.ceil(count / columns) * rowHeight };
}

/** The first tile in sight and the one after the last, with some rows of margin. */
export function tilesInSight(layout: SheetLayout, count: number, top: number, height: number, margin = 2): [number, number] {
  const firstRow = Math.max(0, Math.floor(top / layout.rowHeight) - margin);
  const endRow = Math.ceil((top + height) / layout.rowHeight) + margin;
  return [Math.min(count, firstRow * layout.columns), Math.min(count, endRow * layout.columns)];
}

/** Where an arrow key leads from a tile; `undefined` for other keys. */
export function tileAfterKey(key: string, at: number, count: number, layout: SheetLayout, page: number): number | undefined {
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -layout.columns,
    ArrowDown: layout.columns,
    PageUp: -layout.columns * page,
    PageDown: layout.columns * page,
  };
  if (key === 'Home') return 0;
  if (key === 'End') return count - 1;
  const step = steps[key];
  if (step === undefined) return undefined;
  if (at < 0) return 0;
  const target = at + step;
  // Beyond an edge a step up or down stays where it is, a page stops at the end.
  if (key === 'ArrowUp' || key === 'ArrowDown') return target < 0 || target >= count ? at : target;
  return Math.min(count - 1, Math.max(0, target));
}
