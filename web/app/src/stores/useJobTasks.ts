// Keeps the tasks store on the job that a page shows, live.
import type { WatchSource } from 'vue';
import { useEvent, useSubscription } from '@/live/socket';
import { useTasks } from './tasks';

export function useJobTasks(jobId: WatchSource<string>): ReturnType<typeof useTasks> {
  const tasks = useTasks();
  useEvent('/task', tasks.applyUpdate);
  useEvent('/jobs', (update) => {
    // Sent instead of one event per task when many change at once.
    if (update.refresh_tasks && update.id === tasks.jobId) void tasks.open(update.id);
  });
  useSubscription('job', jobId, (id) => void tasks.open(id));
  return tasks;
}
