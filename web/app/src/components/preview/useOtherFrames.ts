// The frames of a second job, for a comparison with the one that the page is about; live like those.
import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue';
import { api, takeBody } from '@/api/client';
import { compareNumbers, placeRow, tellsOfFiles, type FrameRow } from '@/lib/frames';
import { useEvent, useSubscription } from '@/live/socket';
import { useReading } from '@/stores/reading';

/** Least time between two readings, in milliseconds. */
const PACE = 1000;

/** In order of their numbers; nothing while the id is empty. */
export function useOtherFrames(jobId: () => string): ShallowRef<readonly FrameRow[]> {
  const rows: ShallowRef<readonly FrameRow[]> = shallowRef([]);
  const reading = useReading(async (wanted) => {
    const path = { job_id: jobId() };
    const read: FrameRow[] = [];
    let from: number | undefined;
    do {
      const grid = await takeBody(api.GET('/api/v3/jobs/{job_id}/frames/grid', { params: { path, query: from === undefined ? {} : { from } } }));
      if (!wanted()) return;
      for (const place of grid.places) read.push(placeRow(place, ''));
      from = grid.next_from;
    } while (from !== undefined);
    rows.value = read.sort(compareNumbers);
  });
  watch(jobId, (id) => {
    reading.reset();
    rows.value = [];
    if (id !== '') void reading.read();
  }, { immediate: true });
  useSubscription('jobFrames', jobId, () => jobId() !== '' && void reading.read());

  let timer: ReturnType<typeof setTimeout> | undefined;
  useEvent('/frames', (update) => {
    if (update.job !== jobId() || !tellsOfFiles(update)) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      void reading.read();
    }, PACE);
  });
  onScopeDispose(() => clearTimeout(timer));
  return rows;
}
