// What a worker did lately. The API lists tasks by job, so the jobs that changed last are asked for those of the worker.
import { computed, type ComputedRef, type ShallowRef, type WatchSource } from 'vue';
import { api, takeBody, type RequestError } from '@/api/client';
import type { TaskSummary } from '@/api/types';
import { useDetails } from './details';
import { useJobs } from './jobs';

export const JOBS_ASKED = 12;
const TASKS_A_JOB = 25;
const SHOWN = 50;

export interface PastTask extends TaskSummary {
  readonly jobId: string;
  readonly jobName: string;
}

export interface Block {
  readonly jobId: string;
  readonly jobName: string;
  readonly taskType: string;
}

export interface WorkerHistory {
  /** Newest first; null until it was read. */
  readonly tasks: ComputedRef<readonly PastTask[] | null>;
  /** What the worker may not do any more, because it failed too often. */
  readonly blocks: ComputedRef<readonly Block[]>;
  readonly error: ShallowRef<RequestError | null>;
  refresh(): void;
}

export function useWorkerHistory(workerId: WatchSource<string>, stale: WatchSource<unknown>): WorkerHistory {
  const jobs = useJobs();

  async function read(worker: string): Promise<{ tasks: PastTask[]; blocks: Block[] }> {
    if (!jobs.reading.ready) await jobs.reading.read();
    const asked = [...jobs.table.values()].sort((a, b) => b.updated - a.updated).slice(0, JOBS_ASKED);
    const parts = await Promise.all(asked.map(({ id, name }) => readJob(id, name, worker)));
    const tasks = parts.flatMap((part) => part.tasks).sort((a, b) => (a.updated < b.updated ? 1 : -1));
    return { tasks: tasks.slice(0, SHOWN), blocks: parts.flatMap((part) => part.blocks) };
  }

  const { data, error, refresh } = useDetails(workerId, read, stale);
  return { tasks: computed(() => data.value?.tasks ?? null), blocks: computed(() => data.value?.blocks ?? []), error, refresh };
}

async function readJob(jobId: string, jobName: string, worker: string): Promise<{ tasks: PastTask[]; blocks: Block[] }> {
  const path = { job_id: jobId };
  const query = { worker: [worker], sort: 'updated' as const, order: 'desc' as const, limit: TASKS_A_JOB };
  const [{ tasks }, blocklist] = await Promise.all([
    takeBody(api.GET('/api/v3/jobs/{job_id}/tasks', { params: { path, query } })),
    takeBody(api.GET('/api/v3/jobs/{job_id}/blocklist', { params: { path } })),
  ]);
  const blocks = blocklist.filter((entry) => entry.worker_id === worker).map((entry) => ({ jobId, jobName, taskType: entry.task_type }));
  return { tasks: tasks.map((task) => ({ ...task, jobId, jobName })), blocks };
}
