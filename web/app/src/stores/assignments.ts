// What each worker renders now. No event of a worker says it, so it is gathered from the active tasks of the active jobs.
import { defineStore } from 'pinia';
import { api, takeBody } from '@/api/client';
import { assignments, sameAssignment } from '@/lib/assignments';
import { useJobs } from './jobs';
import { useReading } from './reading';
import { useWorkers } from './workers';

/** So many active jobs are asked; a farm that works on more has the rest without a task in the list. */
const MOST_JOBS = 40;

/** Statuses of jobs whose tasks may be with a worker. */
const WORKING: ReadonlySet<string> = new Set(['active', 'pause-requested', 'cancel-requested']);

export const useAssignments = defineStore('assignments', () => {
  const [jobs, workers] = [useJobs(), useWorkers()];

  const reading = useReading(async (wanted) => {
    const active = [...jobs.table.values()]
      .filter((job) => WORKING.has(job.status))
      .sort((a, b) => b.updated - a.updated)
      .slice(0, MOST_JOBS)
      .map(({ id, name }) => ({ id, name }));
    const found = await Promise.all(
      active.map(async ({ id, name }) => {
        const params = { path: { job_id: id }, query: { status: ['active' as const], limit: 1000 } };
        const { tasks } = await takeBody(api.GET('/api/v3/jobs/{job_id}/tasks', { params }));
        return { id, name, tasks };
      }),
    );
    if (!wanted()) return;
    const tasks = assignments(found);
    for (const row of [...workers.table.values()]) {
      const task = tasks.get(row.id) ?? null;
      if (!sameAssignment(row.task, task)) workers.gather(row.id, { task });
    }
  });

  return { reading };
});
