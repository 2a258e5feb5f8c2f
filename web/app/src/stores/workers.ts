// All workers, live.
import { defineStore } from 'pinia';
import { markRaw, shallowRef } from 'vue';
import { api, take, takeBody } from '@/api/client';
import type { DisableTime, EnabledChange, WorkerStatus, WorkerStatusChange, WorkerSummary, WorkerUpdate } from '@/api/types';
import type { WorkerAction } from '@/lib/actions';
import type { Assignment } from '@/lib/assignments';
import { describeOutcome, runBulk } from '@/lib/bulk';
import { RowTable, type GridRow } from '@/lib/grid/rowTable';
import type { Reading } from '@/lib/machines';
import { quoted } from '@/lib/names';
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
  /** Whether it may be given tasks. */
  enabled: boolean;
  /** Why not, as somebody has written; empty without a reason. */
  disabledReason: string;
  version: string;
  canRestart: boolean;
  lastSeen: number;
  /** From where it was last heard of, and its operating system; empty until a list said so, because no event does. */
  address: string;
  platform: string;
  /** Names of its tags, as they are shown; empty without any. */
  tags: string;
  /** What it renders now; null when it has no active task. */
  task: Assignment | null;
  /** How its machine is doing; null when it has never told. */
  machine: Reading | null;
  /** Time of the event that made the row; 0 for a row from a list, which does not say. */
  updated: number;
}

type WorkerRef = Pick<WorkerRow, 'id' | 'name'>;

/** What the table knows of a worker from elsewhere than its list and its events. */
type Gathered = Pick<WorkerRow, 'tags' | 'task' | 'machine' | 'address' | 'platform'>;
const NOTHING_YET: Gathered = { tags: '', task: null, machine: null, address: '', platform: '' };

function searchText(worker: Pick<WorkerRow, 'name' | 'version' | 'id'>, { tags, task, address, platform }: Gathered): string {
  return `${worker.name} ${worker.version} ${worker.id} ${address} ${platform} ${tags} ${task?.jobName ?? ''} ${task?.taskName ?? ''}`.toLowerCase();
}

function rowOf(worker: WorkerSummary | WorkerUpdate, updated: number, gathered: Gathered = NOTHING_YET): WorkerRow {
  // A missing `status_change` means that none is wanted any more.
  const change: WorkerStatusChange | undefined = worker.status_change;
  return {
    id: worker.id,
    name: worker.name,
    nameKey: naturalKey(worker.name),
    search: searchText(worker, gathered),
    status: worker.status,
    requested: change?.status ?? '',
    requestedLazy: change?.is_lazy ?? false,
    enabled: worker.enabled ?? true,
    disabledReason: worker.disabled_reason ?? '',
    version: worker.version,
    canRestart: worker.can_restart,
    lastSeen: parseTime(worker.last_seen),
    address: ('ip_address' in worker && worker.ip_address) || gathered.address,
    platform: ('platform' in worker && worker.platform) || gathered.platform,
    tags: gathered.tags,
    task: gathered.task,
    machine: gathered.machine,
    updated,
    rev: 0,
  };
}

export const useWorkers = defineStore('workers', () => {
  const notifications = useNotifications();
  const table = markRaw(new RowTable<WorkerRow>((row) => row.status));
  /** Whether the manager knows of enabled and disabled workers. It says so by telling which they are. */
  const offersEnabling = shallowRef(false);
  let interim = new Interim();
  /** Rows that an event changed while a list was being read; the list cannot tell which of the two is newer. */
  let changed = new Set<string>();

  const reading = useReading(async (wanted) => {
    interim = new Interim();
    changed = new Set();
    const { workers } = await takeBody(api.GET('/api/v3/worker-mgt/workers'));
    if (!wanted()) return;
    if (workers.some((worker) => worker.enabled !== undefined)) offersEnabling.value = true;
    const rows = workers.map((worker) => {
      const known = table.get(worker.id);
      return known && changed.has(worker.id) ? known : rowOf(worker, known?.updated ?? 0, known);
    });
    reconcile(table, rows, interim);
    table.flush();
  });

  function applyUpdate(update: WorkerUpdate): void {
    const known = table.get(update.id);
    if (update.deleted_at) {
      interim.gone.add(update.id);
      table.remove(update.id);
      if (known) notifications.note({ level: 'info', text: `Worker ${quoted(known.name)} was removed.` });
      return;
    }
    const row = rowOf(update, parseTime(update.updated), known);
    if (known && row.updated < known.updated) return;
    // The list has a time that some events lack.
    if (row.lastSeen === 0 && known) row.lastSeen = known.lastSeen;
    if (!known) interim.born.add(update.id);
    changed.add(update.id);
    table.put(row);
    if (update.previous_status && update.previous_status !== update.status) {
      const level = update.status === 'error' ? 'warning' : 'info';
      const text = `Worker ${quoted(update.name)}: ${update.previous_status} → ${update.status}.`;
      notifications.note({ level, text, to: { name: 'worker', params: { workerID: update.id } } });
    }
  }

  /** Adds what other parts of the page have learned of a worker. */
  function gather(id: string, learned: Partial<Gathered>): void {
    const known = table.get(id);
    if (!known) return;
    // Most of what is learned is a report of the machine, which nobody searches for.
    const search = 'tags' in learned || 'task' in learned ? { search: searchText(known, { ...known, ...learned }) } : {};
    table.patch(id, { ...learned, ...search });
  }

  /** Asks workers for another status, and reports what came of it. */
  async function act(action: WorkerAction, rows: readonly Pick<WorkerRow, 'id' | 'name' | 'canRestart'>[]): Promise<void> {
    const asked = rows.filter((row) => !action.needsRestart || row.canRestart).map(({ id, name }) => ({ id, name }));
    const outcome = await runBulk(asked, (worker) => requestChange(worker.id, action.change));
    const verb = action.label.toLowerCase();
    const when = action.change.is_lazy ? ' after the current task' : '';
    notifications.show(describeOutcome(outcome, 'worker', (subject) => `Asked ${subject} to ${infinitive(verb)}${when}`));
  }

  /** Withdraws status requests: asking for the status that a worker has clears what was asked before. */
  async function withdraw(rows: readonly Pick<WorkerRow, 'id' | 'name' | 'status'>[]): Promise<void> {
    const asked = rows.map(({ id, name, status }) => ({ id, name, status }));
    const outcome = await runBulk(asked, ({ id, status }) => requestChange(id, { status, is_lazy: false }));
    notifications.show(describeOutcome(outcome, 'worker', (subject) => `Withdrew the request to ${subject}`));
  }

  /** Lets workers have tasks again. */
  async function enable(rows: readonly WorkerRef[]): Promise<void> {
    const reasons = new Map(rows.map(({ id }) => [id, table.get(id)?.disabledReason ?? '']));
    await setEnabled(rows, { enabled: true }, 'Enabled', (id) => withReason({ enabled: false, when: 'after-task' }, reasons.get(id) ?? ''));
  }

  /** Gives workers no more tasks until somebody enables them. */
  async function disable(rows: readonly WorkerRef[], when: DisableTime, reason: string): Promise<void> {
    await setEnabled(rows, withReason({ enabled: false, when }, reason), 'Disabled', () => ({ enabled: true }));
  }

  async function setEnabled(rows: readonly WorkerRef[], change: EnabledChange, verb: string, back: (id: string) => EnabledChange): Promise<void> {
    const asked = rows.map(({ id, name }) => ({ id, name }));
    const request = (bodyOf: (id: string) => EnabledChange) => async (worker: WorkerRef): Promise<void> => {
      const body = bodyOf(worker.id);
      const params = { path: { worker_id: worker.id } };
      await take(api.POST('/api/v3/worker-mgt/workers/{worker_id}/setenabled', { params, body }));
      table.patch(worker.id, { enabled: body.enabled, disabledReason: body.reason ?? '' });
    };
    const outcome = await runBulk(asked, request(() => change));
    const notice = describeOutcome(outcome, 'worker', (subject) => `${verb} ${subject}`);
    const undo = async (): Promise<void> => {
      const undone = await runBulk(outcome.done, request(back));
      notifications.show(describeOutcome(undone, 'worker', (subject) => `${change.enabled ? 'Disabled' : 'Enabled'} ${subject} again`));
    };
    notifications.show(outcome.done.length > 0 ? { ...notice, undo: () => void undo() } : notice);
  }

  /** Removes workers; what they were doing goes back to the queue. */
  async function remove(rows: readonly Pick<WorkerRow, 'id' | 'name'>[]): Promise<void> {
    const asked = rows.map(({ id, name }) => ({ id, name }));
    const outcome = await runBulk(asked, ({ id }) => {
      const params = { path: { worker_id: id } };
      return take(api.DELETE('/api/v3/worker-mgt/workers/{worker_id}', { params }));
    });
    // The event says it too, but not while the connection is lost.
    for (const { id } of outcome.done) {
      interim.gone.add(id);
      table.remove(id);
    }
    notifications.show(describeOutcome(outcome, 'worker', (subject) => `Removed ${subject}`));
  }

  return { table, reading, offersEnabling, applyUpdate, gather, act, withdraw, enable, disable, remove };
});

/** A change with the reason, if there is one. */
function withReason(change: EnabledChange, reason: string): EnabledChange {
  return reason.trim() === '' ? change : { ...change, reason: reason.trim() };
}

function infinitive(verb: string): string {
  return verb === 'send to sleep' ? 'sleep' : verb;
}

function requestChange(id: string, body: WorkerStatusChange): Promise<unknown> {
  const params = { path: { worker_id: id } };
  return take(api.POST('/api/v3/worker-mgt/workers/{worker_id}/setstatus', { params, body }));
}
