// Which frames the files of a task are, so that its log can lead to them. The job page keeps the events coming.
import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue';
import { api, takeBody } from '@/api/client';
import type { JobFrame } from '@/api/types';
import { useEvent } from '@/live/socket';
import { useReading } from '@/stores/reading';

const PAGE = 1000;
/** Least time between two readings, in milliseconds. */
const PACE = 1000;

/** Paths, as the log has them, with the numbers of their frames. */
export function useTaskFrames(jobId: () => string, taskId: () => string): ShallowRef<ReadonlyMap<string, number>> {
  const known: ShallowRef<ReadonlyMap<string, number>> = shallowRef(new Map());

  function add(files: readonly JobFrame[]): void {
    const fresh = files.filter((file) => file.task === taskId() && file.path !== '' && known.value.get(file.path) !== file.frame);
    if (fresh.length > 0) known.value = new Map([...known.value, ...fresh.map((file) => [file.path, file.frame] as const)]);
  }

  const reading = useReading(async (wanted) => {
    const path = { job_id: jobId() };
    const task = taskId();
    let cursor: string | undefined;
    do {
      const query = { task, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) };
      const page = await takeBody(api.GET('/api/v3/jobs/{job_id}/frames', { params: { path, query } }));
      if (!wanted()) return;
      add(page.frames);
      cursor = page.next_cursor;
    } while (cursor !== undefined);
  });
  watch([jobId, taskId], ([job, task]) => {
    reading.reset();
    known.value = new Map();
    if (job !== '' && task !== '') void reading.read();
  }, { immediate: true });

  let timer: ReturnType<typeof setTimeout> | undefined;
  useEvent('/frames', (update) => {
    if (update.job !== jobId()) return;
    add(update.frames);
    if (!update.refresh) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      void reading.read();
    }, PACE);
  });
  onScopeDispose(() => clearTimeout(timer));
  return known;
}
