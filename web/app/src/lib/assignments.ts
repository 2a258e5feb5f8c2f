// Which worker is on which task. Pure.
import type { FarmTask } from '@/api/types';

export interface Assignment {
  readonly jobId: string;
  readonly jobName: string;
  readonly taskId: string;
  readonly taskName: string;
  /** Whether the task renders, so that a machine that does nothing is suspicious. */
  readonly isRender: boolean;
  /** Steps of the task: frames, when it renders. */
  readonly done: number;
  readonly total: number;
}

type ActiveTask = Pick<FarmTask, 'job' | 'job_name'> & {
  readonly task: Pick<FarmTask['task'], 'id' | 'name' | 'status' | 'updated' | 'task_type' | 'steps_completed' | 'steps_total'> & { readonly worker?: { readonly id: string } };
};

/** The active task of each worker. A worker that seems to have two has the one that changed last. */
export function assignments(tasks: readonly ActiveTask[]): Map<string, Assignment> {
  const newest = new Map<string, string>();
  const found = new Map<string, Assignment>();
  for (const { job, job_name: jobName, task } of tasks) {
    const worker = task.worker?.id ?? '';
    if (worker === '' || task.status !== 'active' || (newest.get(worker) ?? '') > task.updated) continue;
    newest.set(worker, task.updated);
    found.set(worker, { jobId: job, jobName, taskId: task.id, taskName: task.name, isRender: /blender|render/.test(task.task_type), done: task.steps_completed, total: task.steps_total });
  }
  return found;
}

/** How far a task is, "3 of 10"; empty when it has but one step. */
export function stepsText({ done, total }: Assignment): string {
  return total > 1 ? `${done} of ${total}` : '';
}

export function sameAssignment(a: Assignment | null, b: Assignment | null): boolean {
  return a?.taskId === b?.taskId && a?.done === b?.done && a?.taskName === b?.taskName && a?.jobName === b?.jobName;
}
