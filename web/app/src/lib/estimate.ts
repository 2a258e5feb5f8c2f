// When a job will be done, in words, with how sure that is.
import type { components } from '@/api/schema.gen';
import { parseTime } from './times';
import { clockText, durationText } from './units';

type Estimate = components['schemas']['EndEstimate'];

export interface EndWords {
  /** The most likely time of day. */
  readonly clock: string;
  /** How long until then: "in 3 min 20 s". */
  readonly left: string;
  /** The range in which 19 of 20 jobs end. */
  readonly range: string;
}

/** `undefined` when the manager gave no estimate. */
export function endWords(estimate: Estimate | undefined, now: number): EndWords | undefined {
  if (!estimate) return undefined;
  const [end, earliest, latest] = [estimate.end, estimate.earliest, estimate.latest].map(parseTime) as [number, number, number];
  return {
    clock: clockText(end, now),
    left: leftText(end, now),
    range: `Probably between ${clockText(earliest, now)} and ${clockText(latest, now)}`,
  };
}

/** "in 3 min"; an end that has passed and no news of it is due any moment. */
export function leftText(end: number, now: number): string {
  return end - now < 1000 ? 'any moment' : `in ${durationText(end - now)}`;
}
