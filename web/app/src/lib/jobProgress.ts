// How far a job is: in frames where the manager knows them, else in steps.

import type { JobTaskCounts } from '@/api/types';

interface JobLike {
  readonly status?: string;
  readonly framesDone: number;
  readonly framesTotal: number;
  readonly stepsCompleted: number;
  readonly stepsTotal: number;
}

export interface JobProgress {
  readonly done: number;
  readonly total: number;
  readonly words: string;
}

export interface ProgressPart {
  readonly status: string;
  readonly share: number;
}

/**
 * A job's progress by status, as shares of a bar: what is done, then the tasks that run and those that failed, as far as
 * they are not part of what is done.
 */
export function progressParts({ done, total }: JobProgress, tasks: JobTaskCounts | null): ProgressPart[] {
  const parts: ProgressPart[] = [];
  let left = 1;
  const add = (status: string, share: number): void => {
    const fits = Math.min(left, Math.max(0, share));
    if (fits <= 0) return;
    left -= fits;
    parts.push({ status, share: fits });
  };
  add('completed', total > 0 ? done / total : 0);
  if (tasks) {
    const count = Object.values(tasks).reduce((sum, one) => sum + one, 0);
    const share = (number: number): number => (count > 0 ? number / count : 0);
    add('failed', share(tasks.failed));
    add('soft-failed', share(tasks.soft_failed));
    add('active', share(tasks.active));
  }
  return parts;
}

export function jobProgress(job: JobLike): JobProgress {
  const inFrames = job.framesTotal > 0 && job.framesDone >= 0;
  const [counted, total] = inFrames ? [job.framesDone, job.framesTotal] : [job.stepsCompleted, job.stepsTotal];
  // The counts of frames are read a little later than the status.
  const done = job.status === 'completed' ? total : counted;
  return { done, total, words: `${done.toLocaleString('en')} of ${total.toLocaleString('en')} ${inFrames ? 'frames' : 'steps'}` };
}
