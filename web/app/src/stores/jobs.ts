// All jobs, live.
import { defineStore } from 'pinia';
import { markRaw } from 'vue';
import { api, take, takeBody } from '@/api/client';
import type { Job, JobStatus, JobTaskCounts, JobUpdate } from '@/api/types';
import { JOB_ACTIONS, mayDelete, mayJob, undoOf, type JobAction } from '@/lib/actions';
import { describeOutcome, runBulk } from '@/lib/bulk';
import { RowTable, type GridRow } from '@/lib/grid/rowTable';
import { quoted } from '@/lib/names';
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
  /** When it was submitted; 0 until a list said so, because no event does. This holds for all that follows. */
  created: number;
  /** The shot that the job is for: its metadata `shot`, else its name. */
  shot: string;
  project: string;
  submitter: string;
  /** Id of the worker tag, or empty. */
  tag: string;
  tasks: JobTaskCounts | null;
  /** Frames that came out, of how many; -1 when the job renders none, or the number is not known. */
  framesDone: number;
  framesTotal: number;
  frameFailures: number;
  meanMs: number;
  totalMs: number;
  /** When the job is probably done; 0 when nobody can tell. */
  estimatedEnd: number;
  lastFrameAt: number;
  /** Addresses of the picture that stands for the job; empty when there is none. */
  thumb: string;
  picture: string;
}

type JobRef = Pick<JobRow, 'id' | 'name' | 'status'>;

/** A job that just finished is read once by itself; more than so many at once wait for the next whole list. */
const MOST_NAMED = 20;

/** A list of up to so many jobs costs next to nothing. */
const SHORT = 1000;
/** How much later than others a change may come to be stored, in milliseconds. */
const MARGIN = 5000;
/** So long after a page has opened it has time to read a long list once more, in milliseconds. */
const SETTLED = 8000;

const REASON = 'requested from web interface';

const DONE: Record<JobAction, (subject: string) => string> = {
  cancel: (subject) => `Canceled ${subject}`,
  pause: (subject) => `Pausing ${subject}`,
  requeue: (subject) => `Requeued ${subject}`,
};

const UNLISTED = {
  created: 0,
  project: '',
  submitter: '',
  tag: '',
  tasks: null,
  framesDone: -1,
  framesTotal: -1,
  frameFailures: 0,
  meanMs: -1,
  totalMs: -1,
  estimatedEnd: 0,
  lastFrameAt: 0,
  thumb: '',
  picture: '',
};

/** What only a list tells, not an event. */
function listedFields(job: Job) {
  const { frames, metadata } = job;
  return {
    created: parseTime(job.created),
    shot: metadata?.shot || job.name,
    project: metadata?.project ?? '',
    submitter: metadata?.['user.name'] ?? '',
    tag: job.worker_tag ?? '',
    tasks: job.task_counts ?? null,
    framesDone: frames?.done ?? -1,
    framesTotal: frames?.total ?? -1,
    frameFailures: frames?.failures ?? 0,
    meanMs: frames?.mean_ms ?? -1,
    totalMs: frames?.total_ms ?? -1,
    estimatedEnd: parseTime(frames?.estimated_end),
    lastFrameAt: parseTime(frames?.last_rendered_at),
    thumb: frames?.thumbnail?.small ?? '',
    picture: frames?.thumbnail?.large ?? frames?.thumbnail?.small ?? '',
  };
}

function listedRow(job: Job): JobRow {
  const listed = listedFields(job);
  const search = searchText(job.name, job.type, job.id, listed.shot, listed.project, listed.submitter);
  return { ...rowOf(job, job.name), ...listed, search };
}

/** What the text filter looks at. */
function searchText(...parts: readonly string[]): string {
  return parts.join(' ').toLowerCase();
}

function rowOf(job: Job | JobUpdate, name: string): JobRow {
  return {
    ...UNLISTED,
    shot: name,
    id: job.id,
    name,
    nameKey: naturalKey(name),
    search: searchText(name, job.type, job.id),
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
    const rows = jobs.map(listedRow);
    reconcile(table, rows, interim);
    table.flush();
  });

  // The first list is asked for before the subscription holds: it is the largest thing that a page waits for.
  let early: Promise<void> | undefined;
  let settling: ReturnType<typeof setTimeout> | undefined;
  /** Asks for the list at once. What changes until {@link follow} is not told by events, and is read by that. */
  function readEarly(): void {
    early ??= reading.read();
  }

  /** Brings the list up to date now that events come: with what changed since it was read, or else with all of it. */
  async function follow(): Promise<void> {
    const first = early;
    clearTimeout(settling);
    // The second time, the connection was lost in between: then only all of it will do.
    early = undefined;
    if (!first) return reading.read();
    await first;
    // A short list is read again as a whole: only that tells what was deleted in between.
    if (!reading.ready.value || reading.error.value || table.size <= SHORT) return reading.read();
    try {
      await readChanges();
      // What was deleted in between is not among the changes. It is looked for when nobody waits for the page any more.
      settling = setTimeout(() => void reading.read(), SETTLED);
    } catch {
      await reading.read();
    }
  }
  /** Reads the jobs that changed since the newest change in the table. */
  async function readChanges(): Promise<void> {
    let newest = 0;
    for (const row of table.values()) newest = Math.max(newest, row.updated);
    const query = newest === 0 ? {} : { updated_since: new Date(newest - MARGIN).toISOString() };
    const { jobs } = await takeBody(api.GET('/api/v3/jobs', { params: { query } }));
    for (const row of jobs.map(listedRow)) {
      const known = table.get(row.id);
      if (!interim.gone.has(row.id) && (!known || known.updated <= row.updated)) table.put(row);
    }
  }

  function applyUpdate(update: JobUpdate): void {
    const known = table.get(update.id);
    if (update.was_deleted) {
      interim.gone.add(update.id);
      table.remove(update.id);
      if (known) notifications.note({ level: 'info', text: `Job ${quoted(known.name)} was deleted.` });
      return;
    }
    const row = rowOf(update, update.name ?? known?.name ?? '');
    // Events of one job come in order, but a list that was read in between may already be newer.
    if (known && row.updated < known.updated) return;
    if (known) {
      for (const key of Object.keys(UNLISTED) as (keyof typeof UNLISTED)[]) Object.assign(row, { [key]: known[key] });
      row.shot = known.shot;
      row.search = searchText(row.name, row.type, row.id, row.shot, row.project, row.submitter);
    } else {
      interim.born.add(update.id);
    }
    if (update.task_counts) row.tasks = update.task_counts;
    table.put(row);
    announce(update, row.name);
  }

  /**
   * Reads what no event tells (frames, estimates, pictures) of the jobs that are being worked on, and of those named. Never
   * of all of them: ten thousand jobs are not read again because one of them rendered a frame.
   */
  async function readProgress(ids: readonly string[] = []): Promise<void> {
    const running: JobStatus[] = ['active', 'queued', 'pause-requested', 'cancel-requested', 'requeueing'];
    const query = { status: running, limit: 1000 };
    const { jobs } = await takeBody(api.GET('/api/v3/jobs', { params: { query } }));
    const read = new Set(jobs.map((job) => job.id));
    const rest = ids.filter((id) => !read.has(id)).slice(0, MOST_NAMED);
    const others = await Promise.all(rest.map((id) => take(api.GET('/api/v3/jobs/{job_id}', { params: { path: { job_id: id } } })).catch(() => undefined)));
    for (const job of [...jobs, ...others]) if (job && table.get(job.id)) table.patch(job.id, listedFields(job));
  }

  function announce(update: JobUpdate, name: string): void {
    const { previous_status: before, status } = update;
    if (!before || before === status) return;
    const text = `Job ${quoted(name)}: ${statusLabel(before).toLowerCase()} → ${statusLabel(status).toLowerCase()}.`;
    const to = { name: 'job', params: { jobID: update.id } };
    if (status === 'completed') notifications.show({ level: 'success', text: `Job ${quoted(name)} is complete.`, to });
    else if (status === 'failed') notifications.show({ level: 'warning', text: `Job ${quoted(name)} has failed.`, to });
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

  /** Marks jobs for deletion: those that may be deleted. */
  async function remove(rows: readonly JobRef[]): Promise<void> {
    const asked = rows.filter((row) => mayDelete(row.status)).map(({ id, name }) => ({ id, name }));
    const outcome = await runBulk(asked, async ({ id }) => {
      await take(api.DELETE('/api/v3/jobs/{job_id}', { params: { path: { job_id: id } } }));
      table.patch(id, { deleteRequested: true });
    });
    notifications.show(describeOutcome(outcome, 'job', (subject) => `Deleting ${subject}`));
  }

  /** What else goes when jobs are deleted, in words. */
  async function describeDeletion(rows: readonly Pick<JobRef, 'id' | 'name'>[]): Promise<string> {
    const withCheckout: string[] = [];
    const asked = rows.slice(0, MOST_NAMED);
    const outcome = await runBulk(asked, async ({ id, name }) => {
      const info = await takeBody(api.GET('/api/v3/jobs/{job_id}/what-would-delete-do', { params: { path: { job_id: id } } }));
      if (info.shaman_checkout) withCheckout.push(name);
    });
    const what = 'Tasks, logs and thumbnails are erased; rendered files stay.';
    if (outcome.failed.length > 0) return `${what} Whether Shaman checkouts go with them could not be found out: ${outcome.failed[0]?.reason}`;
    if (withCheckout.length === 0) return what;
    return rows.length > asked.length ? `${what} Their Shaman checkouts are erased, too.` : `${what} So ${withCheckout.length === 1 ? 'is a Shaman checkout' : `are ${withCheckout.length} Shaman checkouts`}.`;
  }

  async function setPriority(rows: readonly JobRef[], priority: number): Promise<void> {
    const asked = rows.map(({ id, name }) => ({ id, name }));
    const outcome = await runBulk(asked, ({ id }) =>
      take(api.POST('/api/v3/jobs/{job_id}/setpriority', { params: { path: { job_id: id } }, body: { priority } })),
    );
    notifications.show(describeOutcome(outcome, 'job', (subject) => `Set the priority of ${subject} to ${priority}`));
  }

  /** Restricts jobs to the workers with a tag, or to none with `null`. */
  async function setTag(rows: readonly JobRef[], tag: { readonly id: string; readonly name: string } | null): Promise<void> {
    const asked = rows.map(({ id, name }) => ({ id, name }));
    const outcome = await runBulk(asked, async ({ id }) => {
      await take(api.POST('/api/v3/jobs/{job_id}/settag', { params: { path: { job_id: id } }, body: tag ? { id: tag.id } : {} }));
      table.patch(id, { tag: tag?.id ?? '' });
    });
    const done = tag ? `Only workers with the tag ${quoted(tag.name)} now take` : 'Every worker may now take';
    notifications.show(describeOutcome(outcome, 'job', (subject) => `${done} ${subject}`));
  }

  return { table, reading, readEarly, follow, applyUpdate, readProgress, act, remove, describeDeletion, setPriority, setTag };
});

function requestStatus(id: string, status: JobStatus): Promise<unknown> {
  const params = { path: { job_id: id } };
  return take(api.POST('/api/v3/jobs/{job_id}/setstatus', { params, body: { status, reason: REASON } }));
}
