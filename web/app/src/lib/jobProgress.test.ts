import { describe, expect, it } from 'vitest';
import { jobProgress, progressParts } from './jobProgress';

const NONE = { queued: 0, soft_failed: 0, active: 0, completed: 0, failed: 0, canceled: 0, paused: 0 };
const job = { framesDone: -1, framesTotal: -1, stepsCompleted: 0, stepsTotal: 0 };

describe('the progress of a job', () => {
  it.each([
    [{ ...job, framesDone: 30, framesTotal: 100, stepsCompleted: 1, stepsTotal: 5 }, '30 of 100 frames'],
    [{ ...job, stepsCompleted: 1, stepsTotal: 5 }, '1 of 5 steps'],
    [{ ...job, status: 'completed', framesDone: 99, framesTotal: 100 }, '100 of 100 frames'],
  ])('%o is %s', (one, words) => expect(jobProgress(one).words).toBe(words));

  it.each<[string, [number, number], typeof NONE | null, [string, number][]]>([
    ['nothing is known', [0, 0], null, []],
    ['done, failed and running, in this order', [50, 100], { ...NONE, completed: 5, active: 2, failed: 1, queued: 2 }, [['completed', 0.5], ['failed', 0.1], ['active', 0.2]]],
    ['a task that runs has done half of its frames', [5, 10], { ...NONE, active: 1 }, [['completed', 0.5], ['active', 0.5]]],
    ['never more than there is', [10, 10], { ...NONE, active: 4, failed: 4 }, [['completed', 1]]],
    ['tasks that will be tried again', [0, 10], { ...NONE, soft_failed: 1, queued: 3 }, [['soft-failed', 0.25]]],
  ])('%s', (_, [done, total], tasks, expected) => {
    const parts = progressParts({ done, total, words: '' }, tasks);
    expect(parts.map(({ status, share }) => [status, Math.round(share * 1000) / 1000])).toEqual(expected);
  });
});
