// The frame that stands for a job.
import { api, take, toRequestError } from '@/api/client';
import { useNotifications } from './notifications';

/** Makes a frame the still of the job; without one, the middle one of those that are rendered. */
export async function choosePoster(jobId: string, frame?: number): Promise<boolean> {
  const notifications = useNotifications();
  try {
    const body = frame === undefined ? {} : { frame };
    await take(api.POST('/api/v3/jobs/{job_id}/preview/poster', { params: { path: { job_id: jobId } }, body }));
    notifications.show({ level: 'success', text: frame === undefined ? 'The middle frame stands for the job.' : `Frame ${frame} stands for the job.` });
    return true;
  } catch (cause) {
    notifications.show({ level: 'error', text: `Not chosen: ${toRequestError(cause).message}` });
    return false;
  }
}
