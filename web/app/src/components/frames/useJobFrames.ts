// Keeps the frames store on the job that a page shows, live.
import { onScopeDispose, watch } from 'vue';
import { useEvent, useSubscription } from '@/live/socket';
import { useFrames } from '@/stores/frames';

/** Least time between two readings, in milliseconds. */
const PACE = 1000;

export function useJobFrames(jobId: () => string): ReturnType<typeof useFrames> {
  const frames = useFrames();
  watch(jobId, frames.turnTo, { immediate: true });
  useSubscription('jobFrames', jobId, () => void frames.reading.read());

  // A reading takes the longer the more frames there are, and so does the pause before the next.
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pause = PACE;
  function readSoon(): void {
    timer ??= setTimeout(async () => {
      const began = performance.now();
      await frames.reading.read();
      pause = Math.max(PACE, 4 * (performance.now() - began));
      timer = undefined;
    }, pause);
  }
  useEvent('/frames', (update) => {
    if (frames.applyUpdate(update)) readSoon();
  });
  // Which frames are being rendered changes with their tasks.
  useEvent('/task', (update) => {
    if (update.job_id === frames.jobId && update.previous_status && update.previous_status !== update.status) readSoon();
  });
  useEvent('/jobs', (update) => {
    if (update.id === frames.jobId && update.refresh_tasks) readSoon();
  });
  onScopeDispose(() => clearTimeout(timer));
  return frames;
}
