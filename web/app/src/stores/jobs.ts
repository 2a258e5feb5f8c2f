// All jobs, live.
import { defineStore } from 'pinia';
import { markRaw } from 'vue';
import { api, take, takeBody } from '@/api/client';
import type { Job, JobStatus, JobUpdate } from '@/api/types';
import { JOB_ACTIONS, mayJob, undoOf, type JobAction } from '@/lib/actions';
import { describeOutcome, runBulk } from '@/lib/bulk';
import { RowTable, type GridRow } from '@/lib/grid/rowTable';
import { naturalKey } from '@/lib/naturalSort';
import { statusLabel } from '@/lib/status';
import { parseTime } from '@/lib/times';
import { useNotifications } from './notifications';
import { useReading } from './reading';
import { Interim, reconcile } from './reconcile';

export interface JobRow extends GridRow {
  readonly id: string;
  name: string;
  nameKey: string;
  /** What the text filter looks at, in lower case. */
  search: string;
  status: JobStatus;
  type: string;
  priority: number;
  updated: number;
  stepsCompleted: number;
  stepsTotal: number;
  deleteRequested: boolean;
}

type JobRef = Pick<JobRow, 'id' | 'name' | 'status'>;

const REASON = 'requested from web interface';

const DONE: Record<JobAction, (subject: string) => string> = {
  cancel: (subject) => `Canceled ${subject}`,
  pause: (subject) => `Pausing ${subject}`,
  requeue: (subject) => `Requeued ${subject}`,
};

function rowOf(job: Job | JobUpdate, name: string): JobRow {
  return {
    id: job.id,
    name,
    nameKey: naturalKey(name),
    search: `${name} ${job.type} ${job.id}`.toLowerCase(),
    status: job.status,
    type: job.type,
    priority: job.priority,
    updated: parseTime(job.updated),
    stepsCompleted: job.steps_completed,
    stepsTotal: job.steps_total,
    deleteRequested: Boolean(job.delete_requested_at),
    rev: 0,
  };
}

export const useJobs = defineStore('jobs', () => {
  const notifications = useNotifications();
  const table = markRaw(new RowTable<JobRow>((row) => row.status));
  let interim = new Interim();

  const reading = useReading(async (wanted) => {
    interim = new Interim();
    const { jobs } = await takeBody(api.GET('/api/v3/jobs'));
    if (!wanted()) return;
    const rows = jobs.map((job) => rowOf(job, job.name));
    reconcile(table, rows, interim);
    table.flush();
  });

  function applyUpdate(update: JobUpdate): void {
    const known = table.get(update.id);
    if (update.was_deleted) {
      interim.gone.add(update.id);
      table.remove(update.id);
      if (known) notifications.note({ level: 'info', text: `Job "${known.name}" was deleted.` });
      return;
    }
    const row = rowOf(update, update.name ?? known?.name ?? '');
    // Events of one job come in order, but a list that was read in between may already be newer.
    if (known && row.updated < known.updated) return;
    if (!known) interim.born.add(update.id);
    table.put(row);
    announce(update, row.name);
  }

  function announce(update: JobUpdate, name: string): void {
    const { previous_status: before, status } = update;
    if (!before || before === status) return;
    const text = `Job "${name}": ${statusLabel(before).toLowerCase()} → ${statusLabel(status).toLowerCase()}.`;
    const to = { name: 'job', params: { jobID: update.id } };
    if (status === 'completed') notifications.show({ level: 'success', text: `Job "${name}" is complete.`, to });
    else if (status === 'failed') notifications.show({ level: 'warning', text: `Job "${name}" has failed.`, to });
    else notifications.note({ level: 'info', text, to });
  }

  /** Asks for an action on those of the jobs that allow it, and reports what came of it. */
  async function act(action: JobAction, rows: readonly JobRef[]): Promise<void> {
    // Copies, because the rows change under our hands while the requests run.
    const asked = rows.filter((row) => mayJob(action, row.status)).map(({ id, name, status }) => ({ id, name, status }));
    const outcome = await runBulk(asked, (job) => requestStatus(job.id, JOB_ACTIONS[action].asks));
    const notice = describeOutcome(outcome, 'job', DONE[action]);
    const undoable = outcome.done.filter((job) => undoOf(action, job.status) !== undefined);
    if (undoable.length === 0) notifications.show(notice);
    else notifications.show({ ...notice, undo: () => void undo(action, undoable) });
  }

  async function undo(action: JobAction, jobs: readonly JobRef[]): Promise<void> {
    const outcome = await runBulk(jobs, async (job) => {
      const back = undoOf(action, job.status);
      if (back) await requestStatus(job.id, JOB_ACTIONS[back].asks);
    });
    notifications.show(describeOutcome(outcome, 'job', (subject) => `Put ${subject} back in the queue`));
  }

  return { table, reading, applyUpdate, act };
});

function requestStatus(id: string, status: JobStatus): Promise<unknown> {
  const params = { path: { job_id: id } };
  return take(api.POST('/api/v3/jobs/{job_id}/setstatus', { params, body: { status, reason: REASON } }));
}
