// Which action a person may ask for from which status. The manager has the last word; this decides what is offered.
import type { JobStatus, TaskStatus, WorkerStatusChange } from '@/api/types';

export type JobAction = 'cancel' | 'pause' | 'requeue';
export type TaskAction = 'cancel' | 'requeue';

interface JobRule {
  readonly label: string;
  readonly asks: JobStatus;
  readonly from: readonly JobStatus[];
}

export const JOB_ACTIONS: Record<JobAction, JobRule> = {
  pause: { label: 'Pause', asks: 'pause-requested', from: ['active', 'canceled', 'queued'] },
  cancel: {
    label: 'Cancel',
    asks: 'cancel-requested',
    from: ['active', 'failed', 'paused', 'pause-requested', 'queued'],
  },
  requeue: { label: 'Requeue', asks: 'requeueing', from: ['canceled', 'completed', 'failed', 'paused', 'pause-requested'] },
};

interface TaskRule {
  readonly label: string;
  readonly asks: TaskStatus;
  readonly from: readonly TaskStatus[];
}

export const TASK_ACTIONS: Record<TaskAction, TaskRule> = {
  cancel: { label: 'Cancel', asks: 'canceled', from: ['active', 'queued', 'soft-failed', 'paused'] },
  requeue: { label: 'Requeue', asks: 'queued', from: ['canceled', 'completed', 'failed', 'soft-failed'] },
};

export function mayJob(action: JobAction, status: JobStatus): boolean {
  return JOB_ACTIONS[action].from.includes(status);
}

/** Whether no worker will get a task of such a job unless somebody requeues it. */
export function isOver(status: JobStatus): boolean {
  return status === 'completed' || status === 'canceled';
}

const DELETABLE: readonly JobStatus[] = ['canceled', 'completed', 'failed', 'paused', 'queued'];

export function mayDelete(status: JobStatus): boolean {
  return DELETABLE.includes(status);
}

/** A job that waits to be paused is stopping its tasks, so that they are left alone; one that is paused runs none again. */
export function mayTask(action: TaskAction, status: TaskStatus, jobStatus: JobStatus | undefined): boolean {
  if (jobStatus === 'pause-requested' || (jobStatus === 'paused' && action === 'requeue')) return false;
  return TASK_ACTIONS[action].from.includes(status);
}

/**
 * The action that takes back `action`, if there is one that restores what was: a cancelled or paused job goes back into
 * the queue. Undoing the cancel of a failed job would run its failed tasks, which nobody had asked for.
 */
export function undoOf(action: JobAction, from: JobStatus): JobAction | undefined {
  if (action === 'cancel' && (from === 'active' || from === 'queued')) return 'requeue';
  if (action === 'pause' && (from === 'active' || from === 'queued')) return 'requeue';
  return undefined;
}

/** Job statuses in which every task would run again from the start, so that a person should confirm it. */
export function needsConfirmation(action: JobAction, status: JobStatus): boolean {
  return action === 'requeue' && status === 'completed';
}

export interface WorkerAction {
  readonly key: string;
  readonly label: string;
  readonly hint: string;
  readonly change: WorkerStatusChange;
  readonly needsRestart: boolean;
}

function workerAction(
  key: string,
  label: string,
  hint: string,
  status: WorkerStatusChange['status'],
  lazy: boolean,
): WorkerAction {
  return { key, label, hint, change: { status, is_lazy: lazy }, needsRestart: status === 'restart' };
}

const LATER = 'after its current task';
const NOW = 'now; its task goes back to the queue';

export const WORKER_ACTIONS: readonly WorkerAction[] = [
  workerAction('wake', 'Wake up', 'take tasks again', 'awake', false),
  workerAction('sleep-lazy', 'Send to sleep', LATER, 'asleep', true),
  workerAction('sleep-now', 'Send to sleep', NOW, 'asleep', false),
  workerAction('restart-lazy', 'Restart', LATER, 'restart', true),
  workerAction('restart-now', 'Restart', NOW, 'restart', false),
  workerAction('shutdown-lazy', 'Shut down', LATER, 'offline', true),
  workerAction('shutdown-now', 'Shut down', NOW, 'offline', false),
];

/** The actions that make sense for at least one of these workers. */
export function workerActionsFor(workers: readonly { readonly canRestart: boolean }[]): WorkerAction[] {
  if (workers.length === 0) return [];
  const restartable = workers.some((worker) => worker.canRestart);
  return WORKER_ACTIONS.filter((action) => restartable || !action.needsRestart);
}

interface Dated {
  readonly id: string;
  readonly updated: number;
}

/** Of the shown jobs, those that did not change later than the latest of the selected: for cleaning up. */
export function precedingJobs(shown: Iterable<Dated>, selected: readonly Dated[]): string[] {
  const latest = Math.max(...selected.map((job) => job.updated));
  return [...shown].filter((job) => job.updated <= latest).map((job) => job.id);
}
