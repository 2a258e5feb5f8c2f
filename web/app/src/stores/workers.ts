// All workers, live.
import { defineStore } from 'pinia';
import { markRaw } from 'vue';
import { api, take, takeBody } from '@/api/client';
import type { WorkerStatus, WorkerStatusChange, WorkerSummary, WorkerUpdate } from '@/api/types';
import type { WorkerAction } from '@/lib/actions';
import { describeOutcome, runBulk } from '@/lib/bulk';
import { RowTable, type GridRow } from '@/lib/grid/rowTable';
import { naturalKey } from '@/lib/naturalSort';
import { parseTime } from '@/lib/times';
import { useNotifications } from './notifications';
import { useReading } from './reading';
import { Interim, reconcile } from './reconcile';

export interface WorkerRow extends GridRow {
  readonly id: string;
  name: string;
  nameKey: string;
  search: string;
  status: WorkerStatus;
  /** The status that was asked for and not reached yet, with how soon: "asleep", "lazy asleep", or empty. */
  requested: WorkerStatus | '';
  requestedLazy: boolean;
  version: string;
  canRestart: boolean;
  lastSeen: number;
  /** Time of the event that made the row; 0 for a row from a list, which does not say. */
  updated: number;
}

function rowOf(worker: WorkerSummary | WorkerUpdate, updated: number): WorkerRow {
  // A missing `status_change` means that none is wanted any more.
  const change: WorkerStatusChange | undefined = worker.status_change;
  return {
    id: worker.id,
    name: worker.name,
    nameKey: naturalKey(worker.name),
    search: `${worker.name} ${worker.version} ${worker.id}`.toLowerCase(),
    status: worker.status,
    requested: change?.status ?? '',
    requestedLazy: change?.is_lazy ?? false,
    version: worker.version,
    canRestart: worker.can_restart,
    lastSeen: parseTime(worker.last_seen),
    updated,
    rev: 0,
  };
}

export const useWorkers = defineStore('workers', () => {
  const notifications = useNotifications();
  const table = markRaw(new RowTable<WorkerRow>((row) => row.status));
  let interim = new Interim();
  /** Rows that an event changed while a list was being read; the list cannot tell which of the two is newer. */
  let changed = new Set<string>();

  const reading = useReading(async (wanted) => {
    interim = new Interim();
    changed = new Set();
    const { workers } = await takeBody(api.GET('/api/v3/worker-mgt/workers'));
    if (!wanted()) return;
    const rows = workers.map((worker) => {
      const known = table.get(worker.id);
      return known && changed.has(worker.id) ? known : rowOf(worker, known?.updated ?? 0);
    });
    reconcile(table, rows, interim);
    table.flush();
  });

  function applyUpdate(update: WorkerUpdate): void {
    const known = table.get(update.id);
    if (update.deleted_at) {
      interim.gone.add(update.id);
      table.remove(update.id);
      if (known) notifications.note({ level: 'info', text: `Worker "${known.name}" was removed.` });
      return;
    }
    const row = rowOf(update, parseTime(update.updated));
    if (known && row.updated < known.updated) return;
    // The list has a time that some events lack.
    if (row.lastSeen === 0 && known) row.lastSeen = known.lastSeen;
    if (!known) interim.born.add(update.id);
    changed.add(update.id);
    table.put(row);
    if (update.previous_status && update.previous_status !== update.status) {
      const level = update.status === 'error' ? 'warning' : 'info';
      const text = `Worker "${update.name}": ${update.previous_status} → ${update.status}.`;
      notifications.note({ level, text, to: { name: 'workers', query: { worker: update.id } } });
    }
  }

  /** Asks workers for another status, and reports what came of it. */
  async function act(action: WorkerAction, rows: readonly Pick<WorkerRow, 'id' | 'name' | 'canRestart'>[]): Promise<void> {
    const asked = rows.filter((row) => !action.needsRestart || row.canRestart).map(({ id, name }) => ({ id, name }));
    const outcome = await runBulk(asked, (worker) => requestChange(worker.id, action.change));
    const verb = action.label.toLowerCase();
    const when = action.change.is_lazy ? ' after the current task' : '';
    notifications.show(describeOutcome(outcome, 'worker', (subject) => `Asked ${subject} to ${infinitive(verb)}${when}`));
  }

  /** Withdraws a status request: asking for the status that a worker has clears what was asked before. */
  async function withdraw(worker: Pick<WorkerRow, 'id' | 'name' | 'status'>): Promise<void> {
    const change = { status: worker.status, is_lazy: false };
    const outcome = await runBulk([{ id: worker.id, name: worker.name }], ({ id }) => requestChange(id, change));
    notifications.show(describeOutcome(outcome, 'worker', (subject) => `Withdrew the request to ${subject}`));
  }

  return { table, reading, applyUpdate, act, withdraw };
});

function infinitive(verb: string): string {
  return verb === 'send to sleep' ? 'sleep' : verb;
}

function requestChange(id: string, body: WorkerStatusChange): Promise<unknown> {
  const params = { path: { worker_id: id } };
  return take(api.POST('/api/v3/worker-mgt/workers/{worker_id}/setstatus', { params, body }));
}
