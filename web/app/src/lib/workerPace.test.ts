import { describe, expect, it } from 'vitest';
import { farmPace, paceWords } from './workerPace';

const job = (frames: number, mean_ms: number, farm_mean_ms: number) => ({ job: 'j', job_name: 'j', frames, mean_ms, farm_mean_ms, rendered_at: '' });

describe('the pace of a worker', () => {
  it('counts each job by its frames', () => expect(farmPace([job(9, 100, 100), job(1, 1100, 100)])).toBe(2));
  it('is not known without frames', () => {
    expect(farmPace([])).toBeUndefined();
    expect(farmPace([job(1, 0, 0)])).toBeUndefined();
  });
  it.each([
    [1.04, 'As quick as', 'the same'],
    [0.8, '20 % quicker than', '20 % quicker'],
    [1.5, '50 % slower than', '50 % slower'],
    [2.13, 'Takes 2.1 times as long as', '2.1 × as long'],
  ])('%d: %s', (ratio, long, short) => expect([paceWords(ratio), paceWords(ratio, true)]).toEqual([long, short]));
});
