// Joining a list that was read with events that came while it was being read.
import type { GridRow, RowTable } from '@/lib/grid/rowTable';

/** What events did to a table since a read of the whole list began. */
export class Interim {
  readonly born = new Set<string>();
  readonly gone = new Set<string>();
}

/**
 * Makes the table hold what was read, except where an event knows better: a row that an event brought or changed since
 * stays, a row that an event deleted stays deleted.
 */
export function reconcile<R extends GridRow & { updated: number }>(
  table: RowTable<R>,
  read: readonly R[],
  interim: Interim,
): void {
  const present = new Set<string>();
  for (const row of read) {
    present.add(row.id);
    if (interim.gone.has(row.id)) continue;
    const known = table.get(row.id);
    if (!known || known.updated <= row.updated) table.put(row);
  }
  const absent: string[] = [];
  for (const row of table.values()) if (!present.has(row.id) && !interim.born.has(row.id)) absent.push(row.id);
  for (const id of absent) table.remove(id);
}
