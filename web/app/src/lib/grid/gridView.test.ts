import { describe, expect, it } from 'vitest';
import { compareKeys } from '@/lib/naturalSort';
import { GridView, type RowFilter, type SortOrder } from './gridView';
import { RowTable, type GridRow } from './rowTable';

interface Row extends GridRow {
  id: string;
  rank: number;
  status: string;
}

const byRank: SortOrder<Row> = { fields: ['rank'], compare: (a, b) => compareKeys(a.rank, b.rank) };
const byId: SortOrder<Row> = { fields: ['id'], compare: (a, b) => compareKeys(a.id, b.id) };
const onlyActive: RowFilter<Row> = { fields: ['status'], accepts: (row) => row.status === 'active' };

function newTable(): RowTable<Row> {
  return new RowTable<Row>((row) => row.status, () => {});
}

function add(table: RowTable<Row>, ...rows: [string, number, string?][]): void {
  for (const [id, rank, status = 'active'] of rows) table.put({ id, rank, status, rev: 0 });
  table.flush();
}

function shown(view: GridView<Row>): string {
  return view.ids().join('');
}

describe('GridView', () => {
  it('sorts what is there and what comes', () => {
    const table = newTable();
    add(table, ['b', 2], ['a', 1]);
    const view = new GridView(table, byRank);
    expect(shown(view)).toBe('ab');
    add(table, ['d', 4], ['c', 3], ['0', 0]);
    expect(shown(view)).toBe('0abcd');
    view.setSort(byRank, true);
    expect(shown(view)).toBe('dcba0');
  });

  it('moves a row when a field of the sort changes, and only then', () => {
    const table = newTable();
    add(table, ['a', 1], ['b', 2], ['c', 3]);
    const view = new GridView(table, byRank);
    const shape = view.shape.value;
    table.patch('a', { status: 'failed' });
    table.flush();
    expect(view.shape.value).toBe(shape);
    expect(view.rowAt(0)?.rev).toBe(1);
    table.patch('a', { rank: 9 });
    table.flush();
    expect(shown(view)).toBe('bca');
    expect(view.shape.value).toBe(shape + 1);
  });

  it('a patch that changes nothing draws nothing', () => {
    const table = newTable();
    add(table, ['a', 1]);
    const view = new GridView(table, byRank);
    const content = view.content.value;
    expect(table.patch('a', { rank: 1 })).toBe(true);
    table.flush();
    expect(view.content.value).toBe(content);
    expect(table.patch('nobody', { rank: 1 })).toBe(false);
  });

  it('filters, also rows that change', () => {
    const table = newTable();
    add(table, ['a', 1], ['b', 2, 'failed'], ['c', 3]);
    const view = new GridView(table, byRank, onlyActive);
    expect(shown(view)).toBe('ac');
    expect(view.shows('b')).toBe(false);
    expect(view.indexOf('b')).toBe(-1);
    table.patch('b', { status: 'active' });
    table.patch('c', { status: 'failed' });
    table.flush();
    expect(shown(view)).toBe('ab');
    view.setFilter(null);
    expect(shown(view)).toBe('abc');
  });

  it('holds still while held, and shows a deleted row as nothing', () => {
    const table = newTable();
    add(table, ['a', 1], ['b', 2], ['c', 3]);
    const view = new GridView(table, byRank);
    view.hold();
    table.patch('a', { rank: 9 });
    table.remove('b');
    add(table, ['d', 4]);
    expect(view.length).toBe(3);
    expect(view.rowAt(0)?.id).toBe('a');
    expect(view.rowAt(1)).toBeUndefined();
    view.release();
    expect(shown(view)).toBe('cda');
  });

  it('gives ranges in shown order', () => {
    const table = newTable();
    add(table, ['a', 1], ['b', 2], ['c', 3], ['d', 4]);
    const view = new GridView(table, byRank);
    expect(view.range('c', 'b')).toEqual(['b', 'c']);
    expect(view.range('b', 'nobody')).toEqual([]);
    view.setSort(byRank, true);
    expect(view.range('d', 'b')).toEqual(['d', 'c', 'b']);
  });

  it('starts again after a clear', () => {
    const table = newTable();
    add(table, ['a', 1], ['b', 2]);
    const view = new GridView(table, byRank);
    table.clear();
    expect(view.length).toBe(0);
    expect(table.counts.size).toBe(0);
    add(table, ['c', 1]);
    expect(shown(view)).toBe('c');
  });

  it('agrees with sorting from scratch after any sequence of changes', () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return Math.floor((seed / 2147483648) * below);
    };
    const table = newTable();
    const view = new GridView(table, byRank, onlyActive);
    for (let step = 0; step < 3000; step++) {
      const id = `r${random(200)}`;
      const choice = random(10);
      if (choice === 0) table.remove(id);
      else table.put({ id, rank: random(50), status: random(3) === 0 ? 'failed' : 'active', rev: 0 });
      if (choice === 9) table.flush();
      if (step === 1500) view.setSort(byId, true);
    }
    table.flush();
    const all = [...table.values()];
    const expected = all
      .filter((row) => row.status === 'active')
      .map((row) => row.id)
      .sort((a, b) => compareKeys(b, a));
    expect(view.ids()).toEqual(expected);
    expected.forEach((id, index) => expect(view.indexOf(id)).toBe(index));
    const failed = all.filter((row) => row.status === 'failed').length;
    expect(table.counts.get('failed') ?? 0).toBe(failed);
  });
});
