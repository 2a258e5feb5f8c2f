import { describe, expect, it } from 'vitest';
import { RequestError } from '@/api/client';
import { counted, describeOutcome, runBulk } from './bulk';

const jobs = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name }));

describe('runBulk', () => {
  it('counts a failed request as failed', async () => {
    const outcome = await runBulk(jobs, async (job) => {
      if (job.name === 'b') throw new RequestError('job is already canceled', 422);
    });
    expect(outcome.done.map((job) => job.name)).toEqual(['a', 'c', 'd', 'e']);
    expect(outcome.failed).toEqual([{ item: { name: 'b' }, reason: 'job is already canceled' }]);
  });

  it('never has more than a few requests under way', async () => {
    let [running, most] = [0, 0];
    await runBulk(Array.from({ length: 40 }), async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running--;
    });
    expect(most).toBe(6);
  });

  it('does nothing for nothing', async () => {
    expect(await runBulk([], async () => {})).toEqual({ done: [], failed: [] });
  });
});

describe('describeOutcome', () => {
  const failed = (names: string) => names.split('').map((name) => ({ item: { name }, reason: 'not possible' }));
  it.each([
    [jobs.slice(0, 1), '', 'success', 'Canceled job "a".'],
    [jobs.slice(0, 3), '', 'success', 'Canceled 3 jobs.'],
    [[], 'x', 'error', 'Refused for 1 job. "x": not possible.'],
    [jobs.slice(0, 2), 'x', 'error', 'Canceled 2 jobs. Refused for 1 job. "x": not possible.'],
    [
      [],
      'vwxyz',
      'error',
      'Refused for 5 jobs. "v": not possible. "w": not possible. "x": not possible. And 2 more.',
    ],
  ])('%j, failed: %s', (done, names, level, text) => {
    const outcome = describeOutcome({ done, failed: failed(names) }, 'job', (subject) => `Canceled ${subject}`);
    expect(outcome).toEqual({ level, text });
  });

  it('counts', () => {
    expect(counted(1, 'job')).toBe('1 job');
    expect(counted(0, 'job')).toBe('0 jobs');
  });
});
