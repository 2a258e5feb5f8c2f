// How far a job is: in frames where the manager knows them, else in steps.

interface JobLike {
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

export function jobProgress(job: JobLike): JobProgress {
  const inFrames = job.framesTotal > 0 && job.framesDone >= 0;
  const [done, total] = inFrames ? [job.framesDone, job.framesTotal] : [job.stepsCompleted, job.stepsTotal];
  return { done, total, words: `${done.toLocaleString('en')} of ${total.toLocaleString('en')} ${inFrames ? 'frames' : 'steps'}` };
}
