import { mount, type VueWrapper } from '@vue/test-utils';
import { describe, expect, it, vi } from 'vitest';
import { h, nextTick, shallowRef } from 'vue';
import { GridView } from '@/lib/grid/gridView';
import { RowTable, type GridRow } from '@/lib/grid/rowTable';
import { compareKeys } from '@/lib/naturalSort';
import { NOTHING, type Selection } from '@/lib/selection';
import DataGrid from './DataGrid.vue';
import type { GridColumn } from './columns';

interface Row extends GridRow {
  name: string;
  rank: number;
}

const byRank = { fields: ['rank'] as const, compare: (a: Row, b: Row) => compareKeys(a.rank, b.rank) };
const columns: GridColumn<Row>[] = [
  { key: 'name', label: 'Name', width: 'fill', order: byRank },
  { key: 'rank', label: 'Rank', width: 80 },
];

function grid(count: number): { table: RowTable<Row>; wrapper: VueWrapper; drawn: () => number; chosen: () => string } {
  const table = new RowTable<Row>(() => '', () => {});
  for (let n = 0; n < count; n++) table.put({ id: `r${n}`, name: `row <b>${n}</b>`, rank: n, rev: 0 });
  const view = new GridView(table, byRank);
  const selection = shallowRef<Selection>(NOTHING);
  let cells = 0;
  const wrapper = mount({
    render: () =>
      h(
        DataGrid<Row>,
        {
          name: 'test',
          label: 'Rows',
          view,
          columns,
          sort: 'name',
          descending: false,
          selection: selection.value,
          'onUpdate:selection': (now: Selection) => (selection.value = now),
        },
        {
          'cell-name': ({ row }: { row: Row }) => [(cells++, row.name)],
          'cell-rank': ({ row }: { row: Row }) => [String(row.rank)],
        },
      ),
  });
  return { table, wrapper, drawn: () => cells, chosen: () => [...selection.value.ids].join(' ') };
}

describe('DataGrid', () => {
  it('makes elements only for the rows on the screen, and says how many there are', () => {
    const { wrapper } = grid(100_000);
    expect(wrapper.findAll('[data-index]').length).toBeLessThan(60);
    expect(wrapper.get('[role=grid]').attributes('aria-rowcount')).toBe('100001');
  });

  it('shows names as they are', () => {
    const { wrapper } = grid(1);
    expect(wrapper.get('[data-index]').text()).toContain('row <b>0</b>');
    expect(wrapper.find('b').exists()).toBe(false);
  });

  it('draws only the row that changed', async () => {
    const { table, wrapper, drawn } = grid(20);
    const before = drawn();
    table.patch('r3', { name: 'changed' });
    table.flush();
    await nextTick();
    expect(wrapper.get('[data-id=r3]').text()).toContain('changed');
    expect(drawn() - before).toBe(1);
  });

  it('selects by mouse and by keyboard', async () => {
    const { wrapper, chosen } = grid(20);
    await wrapper.get('[data-id=r2]').trigger('click');
    expect(chosen()).toBe('r2');
    await wrapper.get('[data-id=r4]').trigger('click', { shiftKey: true });
    expect(chosen()).toBe('r2 r3 r4');
    await wrapper.get('[data-id=r3]').trigger('click', { ctrlKey: true });
    expect(chosen()).toBe('r2 r4');
    await wrapper.get('[role=grid]').trigger('keydown', { key: 'End' });
    expect(chosen()).toBe('r19');
    expect(wrapper.get('[data-id=r19]').attributes('aria-selected')).toBe('true');
    const active = wrapper.get('[role=grid]').attributes('aria-activedescendant');
    expect(wrapper.get('[data-id=r19]').attributes('id')).toBe(active);
  });

  it('rows hold still while Shift is down', async () => {
    const { table, wrapper } = grid(3);
    const order = () => wrapper.findAll('[data-index]').map((row) => row.attributes('data-id')).join(' ');
    dispatchEvent(new KeyboardEvent('keydown', { key: 'Shift' }));
    table.patch('r0', { rank: 9 });
    table.flush();
    await nextTick();
    expect(order()).toBe('r0 r1 r2');
    dispatchEvent(new KeyboardEvent('keyup', { key: 'Shift' }));
    await nextTick();
    expect(order()).toBe('r1 r2 r0');
  });

  it('a finger that rests on a row picks it, then each tap picks, and a tap after that opens again', async () => {
    vi.useFakeTimers();
    try {
      const { wrapper, chosen } = grid(10);
      const row = (index: number) => wrapper.get(`[data-index="${index}"]`);
      const touch = { pointerType: 'touch', clientX: 5, clientY: 5 };
      const tap = async (index: number, rest = 0, slip = 0): Promise<void> => {
        await row(index).trigger('pointerdown', touch);
        if (slip > 0) await row(index).trigger('pointermove', { ...touch, clientY: 5 + slip });
        vi.advanceTimersByTime(rest);
        await row(index).trigger('pointerup', touch);
        if (slip === 0) await row(index).trigger('click');
      };
      await tap(1, 1000, 40);
      expect(chosen()).toBe('');
      await tap(2, 1000);
      await tap(4);
      expect(chosen()).toBe('r2 r4');
      expect(wrapper.find('.row.active').exists()).toBe(false);
      await tap(2);
      await tap(4);
      expect(chosen()).toBe('');
      await tap(3);
      expect(chosen()).toBe('r3');
      expect(wrapper.get('.row.active').attributes('data-id')).toBe('r3');
    } finally {
      vi.useRealTimers();
    }
  });
});
