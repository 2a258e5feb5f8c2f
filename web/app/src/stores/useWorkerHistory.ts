// What a worker did lately, over all jobs: its last tasks, those that failed, and where it is blocked.
import { computed, type ComputedRef, type ShallowRef, type WatchSource } from 'vue';
import { api, takeBody, type RequestError } from '@/api/client';
import type { FarmTask, TaskStatus } from '@/api/types';
import { useDetails } from './details';

/** Tasks that are shown, and as many that failed. */
export const TASKS_SHOWN = 50;
/** Jobs whose blocklist is read: of the jobs that the worker worked for last. */
const JOBS_ASKED = 12;
const FAILURES: TaskStatus[] = ['failed', 'soft-failed'];

export interface Block {
  readonly jobId: string;
  readonly jobName: string;
  readonly taskType: string;
}

export interface History {
  /** Newest first. */
  readonly tasks: readonly FarmTask[];
  readonly failures: readonly FarmTask[];
  /** What the worker may not do any more, because it failed too often. */
  readonly blocks: readonly Block[];
}

export interface WorkerHistory {
  /** Null until it was read. */
  readonly history: ComputedRef<History | null>;
  readonly error: ShallowRef<RequestError | null>;
  refresh(): void;
}

export function useWorkerHistory(workerId: WatchSource<string>, stale: WatchSource<unknown>): WorkerHistory {
  async function read(worker: string): Promise<History> {
    const list = async (status?: TaskStatus[]): Promise<FarmTask[]> => {
      const query = { worker: [worker], status, limit: TASKS_SHOWN };
      return (await takeBody(api.GET('/api/v3/tasks', { params: { query } }))).tasks;
    };
    const [tasks, failures] = await Promise.all([list(), list(FAILURES)]);
    const names = new Map([...failures, ...tasks].map(({ job, job_name }) => [job, job_name]));
    const blocks = await Promise.all([...names].slice(0, JOBS_ASKED).map(([job, name]) => blocksOf(job, name, worker)));
    return { tasks, failures, blocks: blocks.flat() };
  }

  const { data, error, refresh } = useDetails(workerId, read, stale);
  return { history: computed(() => data.value), error, refresh };
}

async function blocksOf(jobId: string, jobName: string, worker: string): Promise<Block[]> {
  const blocklist = await takeBody(api.GET('/api/v3/jobs/{job_id}/blocklist', { params: { path: { job_id: jobId } } }));
  return blocklist.filter((entry) => entry.worker_id === worker).map((entry) => ({ jobId, jobName, taskType: entry.task_type }));
}
