// The tasks around a task, and why it does not start, in words.
import type { JobTaskCounts, LinkedTasks, TaskStatus, WaitReason } from '@/api/types';
import { counted } from './bulk';
import { statusLabel } from './status';

export interface Reason {
  readonly text: string;
  /** What a person might look at next. */
  readonly look?: { readonly label: string; readonly to: string };
}

interface Context {
  readonly jobId: string;
  readonly taskType: string;
  readonly waitsFor: LinkedTasks;
}

/** Why a task does not start, as a person would say it. */
export function reasonText(reason: WaitReason, { jobId, taskType, waitsFor }: Context): Reason {
  const { counts, total } = waitsFor;
  const workers = { label: 'Workers', to: '/workers' };
  switch (reason) {
    case 'job-deleted':
      return { text: 'Its job is being deleted.' };
    case 'job-paused':
      return { text: 'Its job is paused. Requeue the job to let it go on.' };
    case 'job-over':
      return { text: 'Its job has ended. Requeue the job or this task to have it done.' };
    case 'dependency-failed': {
      const lost = counts.failed + counts.canceled;
      return { text: `It waits for ${counted(lost, 'task')} that ${lost === 1 ? 'has' : 'have'} failed or ${lost === 1 ? 'was' : 'were'} canceled: it can only start once ${lost === 1 ? 'that is' : 'those are'} requeued and completed.` };
    }
    case 'dependencies': {
      const left = total - counts.completed;
      return { text: total === 1 ? 'The task that it waits for is not completed yet.' : `${left.toLocaleString('en')} of the ${total.toLocaleString('en')} tasks that it waits for ${left === 1 ? 'is' : 'are'} not completed yet.` };
    }
    case 'no-type':
      return { text: `No worker does tasks of the type ${taskType}.`, look: workers };
    case 'no-tag':
      return { text: `No worker that does tasks of the type ${taskType} has the tag of the job.`, look: { label: 'Tags', to: '/tags' } };
    case 'blocked':
      return { text: `Every worker that could do it is on the job's blocklist.`, look: { label: 'Blocklist', to: `/jobs/${jobId}/workers` } };
    case 'failed-everywhere':
      return { text: 'Every worker that could do it has tried, and failed. Another worker would have to come.', look: workers };
    case 'disabled':
      return { text: 'The workers that could do it are disabled.', look: workers };
    case 'away':
      return { text: 'The workers that could do it are asleep or gone.', look: workers };
    case 'turn':
      return { text: 'Nothing is in its way: it starts when a worker that can do it is free, and no job or task that goes first is left.', look: workers };
  }
}

const ORDER: readonly [keyof JobTaskCounts, TaskStatus][] = [
  ['failed', 'failed'],
  ['canceled', 'canceled'],
  ['soft_failed', 'soft-failed'],
  ['active', 'active'],
  ['paused', 'paused'],
  ['queued', 'queued'],
  ['completed', 'completed'],
];

/** How many tasks have which status: what is in trouble first, what is done last. */
export function statusCounts(counts: JobTaskCounts): { readonly status: TaskStatus; readonly count: number }[] {
  return ORDER.map(([key, status]) => ({ status, count: counts[key] })).filter(({ count }) => count > 0);
}

/** "3 failed, 9,997 completed". */
export function countsText(counts: JobTaskCounts): string {
  return statusCounts(counts).map(({ status, count }) => `${count.toLocaleString('en')} ${statusLabel(status).toLowerCase()}`).join(', ');
}
