// One row of a table for a component that shows just this one.
import { computed, type ComputedRef } from 'vue';
import type { GridRow, RowTable } from './grid/rowTable';

/** A copy of the row with some id, made anew after each change; `undefined` while there is none. */
export function useRow<R extends GridRow>(table: RowTable<R>, id: () => string): ComputedRef<Readonly<R> | undefined> {
  return computed(() => {
    // Rows change in place and are not reactive; the counter of the table is.
    void table.pulse.value;
    const row = table.get(id());
    return row && { ...row };
  });
}
