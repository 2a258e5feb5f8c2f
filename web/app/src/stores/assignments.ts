// What each worker renders now. No event of a worker says it, so the active tasks of the farm are asked for.
import { defineStore } from 'pinia';
import { api, takeBody } from '@/api/client';
import type { FarmTask } from '@/api/types';
import { assignments, sameAssignment } from '@/lib/assignments';
import { useReading } from './reading';
import { useWorkers } from './workers';

/** Active tasks a request. */
const PAGE = 1000;

export const useAssignments = defineStore('assignments', () => {
  const workers = useWorkers();

  const reading = useReading(async (wanted) => {
    const active: FarmTask[] = [];
    let cursor: string | undefined;
    do {
      const query = { status: ['active' as const], limit: PAGE, cursor };
      const page = await takeBody(api.GET('/api/v3/tasks', { params: { query } }));
      active.push(...page.tasks);
      cursor = page.next_cursor;
    } while (cursor !== undefined && wanted());
    if (!wanted()) return;
    const tasks = assignments(active);
    for (const row of [...workers.table.values()]) {
      const task = tasks.get(row.id) ?? null;
      if (!sameAssignment(row.task, task)) workers.gather(row.id, { task });
    }
  });

  return { reading };
});
