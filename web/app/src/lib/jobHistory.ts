// What happened to a job, as far as the manager still knows: when it was made, what its tasks last did, what it does now.

export interface HistoryEntry {
  readonly at: number;
  readonly kind: 'job' | 'task' | 'notice';
  readonly status: string;
  readonly text: string;
  /** The task to go to, if any. */
  readonly task: string;
}

interface TaskLike {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly updated: number;
  readonly workerName: string;
}

interface JobLike {
  readonly created: number;
  readonly updated: number;
  readonly status: string;
  readonly activity: string;
  readonly deleteRequestedAt: number;
}

/** More would not be read, and a job may have 100,000 tasks. */
export const MOST_ENTRIES = 500;

const TOUCHED = new Set(['active', 'completed', 'failed', 'soft-failed', 'canceled']);

/** Newest first. A task is there once, with the last thing that it did; one that waits for its turn did nothing yet. */
export function jobHistory(job: JobLike, tasks: Iterable<TaskLike>): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  for (const { id, name, status, updated, workerName } of tasks) {
    if (!TOUCHED.has(status)) continue;
    const who = workerName === '' ? '' : status === 'active' ? ` on ${workerName}` : ` by ${workerName}`;
    entries.push({ at: updated, kind: 'task', status, text: `${name}${who}`, task: id });
  }
  entries.sort((a, b) => b.at - a.at);
  entries.length = Math.min(entries.length, MOST_ENTRIES);
  const own: HistoryEntry[] = [{ at: job.created, kind: 'job', status: 'under-construction', text: 'Submitted', task: '' }];
  if (job.deleteRequestedAt > 0) own.push({ at: job.deleteRequestedAt, kind: 'job', status: 'cancel-requested', text: 'Deletion was asked for', task: '' });
  // When a job without activity of its own changed is told by its tasks.
  if (job.activity !== '') own.push({ at: job.updated, kind: 'job', status: job.status, text: job.activity, task: '' });
  return [...entries, ...own].sort((a, b) => b.at - a.at);
}
