// How far a job is: in frames where the manager knows them, else in steps.

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

export function jobProgress(job: JobLike): JobProgress {
  const inFrames = job.framesTotal > 0 && job.framesDone >= 0;
  const [counted, total] = inFrames ? [job.framesDone, job.framesTotal] : [job.stepsCompleted, job.stepsTotal];
  // The counts of frames are read a little later than the status.
  const done = job.status === 'completed' ? total : counted;
  return { done, total, words: `${done.toLocaleString('en')} of ${total.toLocaleString('en')} ${inFrames ? 'frames' : 'steps'}` };
}
