// Keeps what no job event tells (frames done, estimates, pictures) up to date for as long as a page shows it.
import { onScopeDispose } from 'vue';
import { tellsOfFiles } from '@/lib/frames';
import { useEvent, useSubscription } from '@/live/socket';
import { useJobs } from './jobs';

/** Least time between two readings, in milliseconds. */
const PACE = 3000;

export function useJobProgress(): void {
  const jobs = useJobs();
  const changed = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  function soon(id: string): void {
    changed.add(id);
    timer ??= setTimeout(async () => {
      const ids = [...changed];
      changed.clear();
      // The next event asks again; a page that cannot be brought up to date still shows what it has.
      await jobs.readProgress(ids).catch(() => undefined);
      timer = undefined;
      if (changed.size > 0) soon([...changed][0] ?? '');
    }, PACE);
  }
  useSubscription('allFrames', () => 'all', () => {});
  useEvent('/frames', (update) => tellsOfFiles(update) && soon(update.job));
  useEvent('/jobs', (update) => {
    if (!update.was_deleted && update.previous_status !== update.status) soon(update.id);
  });
  onScopeDispose(() => clearTimeout(timer));
}
