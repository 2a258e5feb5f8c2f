// Which worker is on which task. Pure.
import type { FarmTask } from '@/api/types';

export interface Assignment {
  readonly jobId: string;
  readonly jobName: string;
  readonly taskId: string;
  readonly taskName: string;
}

type ActiveTask = Pick<FarmTask, 'job' | 'job_name'> & {
  readonly task: Pick<FarmTask['task'], 'id' | 'name' | 'status' | 'updated'> & { readonly worker?: { readonly id: string } };
};

/** The active task of each worker. A worker that seems to have two has the one that changed last. */
export function assignments(tasks: readonly ActiveTask[]): Map<string, Assignment> {
  const newest = new Map<string, string>();
  const found = new Map<string, Assignment>();
  for (const { job, job_name: jobName, task } of tasks) {
    const worker = task.worker?.id ?? '';
    if (worker === '' || task.status !== 'active' || (newest.get(worker) ?? '') > task.updated) continue;
    newest.set(worker, task.updated);
    found.set(worker, { jobId: job, jobName, taskId: task.id, taskName: task.name });
  }
  return found;
}

export function sameAssignment(a: Assignment | null, b: Assignment | null): boolean {
  return a?.taskId === b?.taskId && a?.taskName === b?.taskName && a?.jobName === b?.jobName;
}
