import { describe, expect, it } from 'vitest';
import { MOST_LINES, tailOf, withUpdate } from './workerLog';

const worker = 'w';
const tail = tailOf({ worker, lines: ['c', 'd'], total: 4 });
const update = (lines: string[], total: number, anew = false) => ({ worker, lines, total, anew });

describe('the end of a log', () => {
  it('numbers its lines as the manager counts them', () => expect(tail).toEqual({ lines: ['c', 'd'], total: 4, first: 2 }));
  it('new lines come after what was read', () => expect(withUpdate(tail, update(['e'], 5))).toEqual({ lines: ['c', 'd', 'e'], total: 5, first: 2 }));
  it('what was read already is not shown twice', () => {
    expect(withUpdate(tail, update(['c', 'd', 'e'], 5))?.lines).toEqual(['c', 'd', 'e']);
    expect(withUpdate(tail, update(['d'], 4))).toBe(tail);
  });
  it('is read again when lines are missing', () => expect(withUpdate(tail, update(['g'], 7))).toBeUndefined());
  it('is read again when the manager counts from the beginning', () => expect(withUpdate(tail, update(['x'], 1))).toBeUndefined());
  it('begins anew when the worker says so', () => expect(withUpdate(tail, update(['x', 'y'], 6, true))).toEqual({ lines: ['x', 'y'], total: 6, first: 4 }));
  it('keeps only so many lines', () => {
    const many = Array.from({ length: MOST_LINES }, (_, n) => `${n}`);
    const grown = withUpdate(tail, update(many, 4 + MOST_LINES));
    expect([grown?.lines.length, grown?.lines[0], grown?.first]).toEqual([MOST_LINES, '0', 4]);
  });
});
