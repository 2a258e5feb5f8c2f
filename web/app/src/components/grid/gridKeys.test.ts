import { describe, expect, it } from 'vitest';
import { GridView } from '@/lib/grid/gridView';
import { RowTable, type GridRow } from '@/lib/grid/rowTable';
import { compareKeys } from '@/lib/naturalSort';
import { NOTHING, selectOnly, type Selection } from '@/lib/selection';
import { pressKey } from './gridKeys';

const table = new RowTable<GridRow>(() => '', () => {});
for (const id of 'abcdefghij') table.put({ id, rev: 0 });
const view = new GridView(table, { fields: ['id'], compare: (a, b) => compareKeys(a.id, b.id) });

function press(now: Selection, keys: string): string {
  const key = keys.replace(/^[+^]+(?=.)/, '').replace('Space', ' ');
  const result = pressKey({ key, shiftKey: /^\^?\+/.test(keys), command: keys.startsWith('^') }, now, view, 4);
  if (!result) return 'nothing';
  if (result.kind === 'open') return `open ${result.id}`;
  return `${[...result.selection.ids].join('')} active ${result.selection.active}`;
}

describe('pressKey', () => {
  it.each([
    ['-', 'ArrowDown', 'a active a'],
    ['-', 'ArrowUp', 'j active j'],
    ['c', 'ArrowDown', 'd active d'],
    ['a', 'ArrowUp', 'a active a'],
    ['c', 'PageDown', 'g active g'],
    ['i', 'PageDown', 'j active j'],
    ['c', 'PageUp', 'a active a'],
    ['c', 'End', 'j active j'],
    ['c', 'Home', 'a active a'],
    ['c', '+ArrowDown', 'cd active d'],
    ['c', '+Home', 'abc active a'],
    ['c', 'Enter', 'open c'],
    ['-', 'Enter', 'nothing'],
    ['c', 'Space', ' active null'],
    ['c', '^a', 'abcdefghij active c'],
    ['c', 'Escape', ' active null'],
    ['-', 'Escape', 'nothing'],
    ['c', 'x', 'nothing'],
    // A row that the filter hides is no place to start from.
    ['z', 'ArrowDown', 'a active a'],
  ])('from %s, %s gives %s', (from, keys, expected) => {
    expect(press(from === '-' ? NOTHING : selectOnly(from), keys)).toBe(expected);
  });
});
