// Which worker is on which task. Pure.
import type { TaskSummary } from '@/api/types';

export interface Assignment {
  readonly jobId: string;
  readonly jobName: string;
  readonly taskId: string;
  readonly taskName: string;
}

interface JobTasks {
  readonly id: string;
  readonly name: string;
  readonly tasks: readonly (Pick<TaskSummary, 'id' | 'name' | 'status' | 'updated'> & { readonly worker?: { readonly id: string } })[];
}

/** The active task of each worker. A worker that seems to have two has the one that changed last. */
export function assignments(jobs: readonly JobTasks[]): Map<string, Assignment> {
  const newest = new Map<string, string>();
  const found = new Map<string, Assignment>();
  for (const job of jobs) {
    for (const task of job.tasks) {
      const worker = task.worker?.id ?? '';
      if (worker === '' || task.status !== 'active' || (newest.get(worker) ?? '') > task.updated) continue;
      newest.set(worker, task.updated);
      found.set(worker, { jobId: job.id, jobName: job.name, taskId: task.id, taskName: task.name });
    }
  }
  return found;
}

export function sameAssignment(a: Assignment | null, b: Assignment | null): boolean {
  return a?.taskId === b?.taskId && a?.taskName === b?.taskName && a?.jobName === b?.jobName;
}
