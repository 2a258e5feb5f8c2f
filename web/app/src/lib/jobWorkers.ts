// Who worked on a job: tasks by worker, joined with what the manager says of their frames.
import type { JobFrameSummary } from '@/api/types';

export interface WorkerShare {
  readonly id: string;
  readonly name: string;
  readonly completed: number;
  readonly active: number;
  readonly failed: number;
  readonly frames: number;
  readonly frameFailures: number;
  /** Milliseconds; `undefined` when not known. */
  readonly meanMs: number | undefined;
  readonly totalMs: number | undefined;
}

interface TaskLike {
  readonly workerId: string;
  readonly workerName: string;
  readonly status: string;
}

/** One entry for each worker that has or had a task of the job, or rendered a frame of it; who did most comes first. */
export function jobWorkers(tasks: Iterable<TaskLike>, frames: JobFrameSummary['workers']): WorkerShare[] {
  const shares = new Map<string, { -readonly [K in keyof WorkerShare]: WorkerShare[K] }>();
  const of = (id: string, name: string) => {
    const found = shares.get(id);
    if (found) return found;
    const fresh = { id, name, completed: 0, active: 0, failed: 0, frames: 0, frameFailures: 0, meanMs: undefined, totalMs: undefined };
    shares.set(id, fresh);
    return fresh;
  };
  for (const { workerId, workerName, status } of tasks) {
    if (workerId === '' || workerName === '') continue;
    const share = of(workerId, workerName);
    if (status === 'completed') share.completed++;
    else if (status === 'active') share.active++;
    else if (status === 'failed' || status === 'soft-failed') share.failed++;
  }
  for (const worker of frames) {
    const share = of(worker.worker ?? '', worker.name ?? 'a worker that was removed');
    share.frames += worker.frames;
    share.frameFailures += worker.failures;
    share.meanMs = worker.render_time.mean_ms;
    share.totalMs = worker.render_time.count > 0 ? worker.render_time.total_ms : undefined;
  }
  return [...shares.values()].sort((a, b) => b.frames - a.frames || b.completed - a.completed || a.name.localeCompare(b.name));
}
