// The audit trail as far as it was read: the newest entries that pass a filter, and older ones on demand.
import { shallowRef, watch, type ShallowRef } from 'vue';
import { api, takeBody, toRequestError } from '@/api/client';
import type { AuditTrail } from '@/api/types';
import { rowOf, type AuditFilter, type AuditRow } from '@/lib/audit';
import { RowTable } from '@/lib/grid/rowTable';
import { useReading, type Reading } from './reading';

/** Entries that are read at a time. */
export const PAGE = 100;

export interface Audit {
  readonly table: RowTable<AuditRow>;
  /** Reads the newest; what was read before stays, as long as nothing is missing between. */
  readonly reading: Reading;
  readonly hasOlder: Readonly<ShallowRef<boolean>>;
  readonly busy: Readonly<ShallowRef<boolean>>;
  /** Why older entries could not be read; empty if they could. */
  readonly problem: Readonly<ShallowRef<string>>;
  readOlder(): Promise<void>;
}

/** Follows `filter`, and reads anew whenever it changes. */
export function useAudit(filter: () => AuditFilter): Audit {
  const table = new RowTable<AuditRow>(() => '');
  const [hasOlder, busy, problem] = [shallowRef(false), shallowRef(false), shallowRef('')];
  let nextBefore: number | undefined;

  function reach(before: number | undefined): void {
    nextBefore = before;
    hasOlder.value = before !== undefined;
  }

  const reading = useReading(async (wanted) => {
    const trail = await fetchPage(filter());
    if (!wanted()) return;
    const joins = trail.entries.some(({ id }) => table.get(String(id)) !== undefined);
    if (!joins) {
      table.clear();
      reach(trail.next_before);
    }
    for (const entry of trail.entries) table.put(rowOf(entry));
    table.flush();
  });

  async function readOlder(): Promise<void> {
    if (busy.value || nextBefore === undefined) return;
    const [asked, before] = [filter(), nextBefore];
    busy.value = true;
    problem.value = '';
    try {
      const trail = await fetchPage(asked, before);
      // Another filter, or newer entries without a connection to the old ones, have made this one void.
      if (asked !== filter() || before !== nextBefore) return;
      for (const entry of trail.entries) table.put(rowOf(entry));
      reach(trail.next_before);
      table.flush();
    } catch (cause) {
      problem.value = toRequestError(cause).message;
    } finally {
      busy.value = false;
    }
  }

  watch(filter, () => {
    reading.reset();
    table.clear();
    reach(undefined);
    problem.value = '';
    void reading.read();
  }, { immediate: true });

  return { table, reading, hasOlder, busy, problem, readOlder };
}

function fetchPage(filter: AuditFilter, before?: number): Promise<AuditTrail> {
  const wanted = Object.fromEntries(Object.entries(filter).filter(([, text]) => text.trim() !== ''));
  return takeBody(api.GET('/api/v3/audit', { params: { query: { ...wanted, before, limit: PAGE } } }));
}
