// The numbers of a job's frames, brought up to date while they change.
import { onScopeDispose, type ShallowRef } from 'vue';
import type { JobFrameSummary } from '@/api/types';
import { api, takeBody } from '@/api/client';
import { tellsOfFiles } from '@/lib/frames';
import { useEvent } from '@/live/socket';
import { useDetails } from '@/stores/details';

/** Least time between two readings, in milliseconds: an estimate that jumps with each frame helps nobody. */
const PACE = 3000;

export function useFrameSummary(jobId: () => string, stale: () => unknown): ShallowRef<JobFrameSummary | null> {
  const { data, refresh } = useDetails(
    jobId,
    (id) => takeBody(api.GET('/api/v3/jobs/{job_id}/frames/summary', { params: { path: { job_id: id } } })),
    stale,
  );
  let timer: ReturnType<typeof setTimeout> | undefined;
  useEvent('/frames', (update) => {
    if (update.job !== jobId() || !tellsOfFiles(update)) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      refresh();
    }, PACE);
  });
  onScopeDispose(() => clearTimeout(timer));
  return data;
}
