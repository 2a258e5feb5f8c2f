import { isPicking, pickRow } from './selection';
import { describe, expect, it } from 'vitest';
import { NOTHING, clickRow, selectOnly, withoutGone, type Selection } from './selection';

let shown = ['a', 'b', 'c', 'd', 'e'];
function range(from: string, to: string): string[] {
  const [x, y] = [shown.indexOf(from), shown.indexOf(to)];
  if (x < 0 || y < 0) return [];
  return shown.slice(Math.min(x, y), Math.max(x, y) + 1);
}

// Keys after a plain click on `b`: "^x" holds Ctrl, "+x" holds Shift.
function play(...clicks: string[]): Selection {
  return clicks.reduce<Selection>((now, click) => {
    const modifiers = { toggle: click.includes('^'), extend: click.includes('+') };
    return clickRow(now, click.at(-1)!, modifiers, range);
  }, NOTHING);
}

describe('clickRow', () => {
  it.each([
    ['b', 'b', 'b'],
    ['b d', 'd', 'd'],
    ['b ^d', 'b d', 'd'],
    ['b ^d ^d', 'b', null],
    ['b +d', 'b c d', 'd'],
    ['d +b', 'b c d', 'b'],
    ['b +d +a', 'a b', 'a'],
    ['b ^d ^+e', 'b d e', 'e'],
    ['+c', 'c', 'c'],
  ])('%s selects %s', (clicks, expected, active) => {
    const now = play(...clicks.split(' '));
    expect([...now.ids].sort().join(' ')).toBe(expected);
    expect(now.active).toBe(active);
  });

  it('the anchor follows its row when the table is sorted anew', () => {
    const before = play('b');
    shown = ['e', 'd', 'c', 'a', 'b'];
    const now = clickRow(before, 'c', { toggle: false, extend: true }, range);
    expect([...now.ids].sort()).toEqual(['a', 'b', 'c']);
    shown = ['a', 'b', 'c', 'd', 'e'];
  });

  it('starts anew when the anchor is hidden', () => {
    const now = clickRow(selectOnly('z'), 'c', { toggle: false, extend: true }, range);
    expect([...now.ids]).toEqual(['c']);
  });
});

describe('withoutGone', () => {
  it('keeps the object when all rows are there', () => {
    const now = selectOnly('a');
    expect(withoutGone(now, () => true)).toBe(now);
  });

  it('drops what was deleted, also as active row and anchor', () => {
    const now = withoutGone(play('a', '^b'), (id) => id !== 'b');
    expect(now).toEqual({ ids: new Set(['a']), active: null, anchor: null });
  });
});

it('picking takes rows in and out, and opens none', () => {
  const one = pickRow(selectOnly('a'), 'b');
  expect([...one.ids]).toEqual(['a', 'b']);
  expect(one.active).toBeNull();
  expect(isPicking(one)).toBe(true);
  const none = pickRow(pickRow(one, 'a'), 'b');
  expect([...none.ids]).toEqual([]);
  expect(isPicking(none)).toBe(false);
  expect(isPicking(selectOnly('a'))).toBe(false);
});
