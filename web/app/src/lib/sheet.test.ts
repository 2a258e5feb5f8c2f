import { describe, expect, it } from 'vitest';
import { CAPTION, TILE_GAP, sheetLayout, tileAfterKey, tilesInSight } from './sheet';

describe('the layout', () => {
  it('fills the width', () => {
    const layout = sheetLayout(10, 632, 200, 2);
    expect(layout.columns).toBe(3);
    expect(layout.tileWidth * 3 + 2 * TILE_GAP).toBeLessThanOrEqual(632);
    expect(layout.rowHeight).toBe(Math.round(layout.tileWidth / 2) + CAPTION + TILE_GAP);
    expect(layout.height).toBe(4 * layout.rowHeight);
  });
  it('has a column also where a tile is wider than the screen', () => expect(sheetLayout(4, 300, 400, 1).columns).toBe(1));
  it('is nothing without tiles', () => expect(sheetLayout(0, 600, 200, 1).height).toBe(0));
});

describe('what is in sight', () => {
  const layout = sheetLayout(10_000, 1200, 200, 16 / 9);

  it('is a screenful and some rows, of ten thousand', () => {
    const [first, end] = tilesInSight(layout, 10_000, 50 * layout.rowHeight, 800);
    expect(first).toBe(48 * layout.columns);
    expect(end - first).toBeLessThan(80);
  });
  it('ends at the end', () => expect(tilesInSight(layout, 12, 0, 5000)[1]).toBe(12));
});

describe('keys', () => {
  const layout = { columns: 4, tileWidth: 100, rowHeight: 100, height: 300 };
  it.each([
    ['ArrowRight', 3, 4],
    ['ArrowLeft', 0, 0],
    ['ArrowDown', 1, 5],
    ['ArrowDown', 8, 8],
    ['ArrowUp', 2, 2],
    ['ArrowUp', 6, 2],
    ['PageDown', 1, 9],
    ['PageDown', 7, 9],
    ['Home', 7, 0],
    ['End', 0, 9],
    ['ArrowRight', -1, 0],
  ])('%s from %d', (key, from, to) => expect(tileAfterKey(key, from, 10, layout, 2)).toBe(to));
  it('knows no others', () => expect(tileAfterKey('x', 0, 10, layout, 2)).toBeUndefined());
});
