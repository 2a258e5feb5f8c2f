import { describe, expect, it } from 'vitest';
import { barAt, barsOf, scaleLines, scaleTop, workerHues } from './frameChart';
import { placeRow } from './frames';

const row = (frame: number, render_ms?: number) => placeRow({ frame, state: 'ok', files: 1, ...(render_ms === undefined ? {} : { render_ms }) }, '');

describe('the scale', () => {
  it('reaches the slowest', () => expect(scaleTop([10, 40, 20])).toBe(40));
  it('is not flattened by a few that are far off', () => {
    const times = [...Array.from({ length: 98 }, () => 100), 120, 100_000];
    expect(scaleTop(times)).toBe(240);
  });
  it('exists without times', () => expect(scaleTop([])).toBe(1));
  it.each([
    [4100, [1000, 2000, 3000, 4000]],
    [90, [50]],
    [10, [5, 10]],
  ])('has round lines up to %d', (top, lines) => expect(scaleLines(top, lines.length > 2 ? 4 : 2)).toEqual(lines));
});

describe('the bars', () => {
  it('stand side by side, and one without a time has no height', () => {
    const { bars } = barsOf([row(1, 100), row(2), row(3, 50)], 30);
    expect(bars.map((bar) => [bar.x, bar.share])).toEqual([[0, 1], [10, undefined], [20, 0.5]]);
  });
  it('are found below a pixel', () => {
    expect(barAt(0, 3, 30)).toBe(0);
    expect(barAt(29, 3, 30)).toBe(2);
    expect(barAt(99, 3, 30)).toBe(2);
    expect(barAt(5, 0, 30)).toBe(-1);
  });
});

describe('colours of workers', () => {
  it('are those of the names in order, and different', () => {
    const rows = [{ worker: 'b', workerName: 'node-10' }, { worker: '', workerName: '' }, { worker: 'a', workerName: 'node-2' }, { worker: 'b', workerName: 'node-10' }];
    expect(workerHues(rows)).toEqual([{ id: 'a', name: 'node-2', hue: 210 }, { id: 'b', name: 'node-10', hue: 348 }]);
    const many = Array.from({ length: 12 }, (_, n) => ({ worker: String(n), workerName: `node-${n}` }));
    expect(new Set(workerHues(many).map(({ hue }) => hue)).size).toBe(12);
  });
});
