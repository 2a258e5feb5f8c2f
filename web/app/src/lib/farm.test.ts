import { describe, expect, it } from 'vitest';
import type { FarmStatus } from '@/api/types';
import { farmReason } from './farm';

describe('farmReason', () => {
  it.each([
    ['active', { active: 1 }, { awake: 2, offline: 1 }, 'Rendering 1 job; 2 of 3 workers busy, 2 awake.'],
    ['active', { active: 2, queued: 3 }, { awake: 2, offline: 1 }, 'Rendering 2 jobs, 3 more in the queue; 2 of 3 workers busy, 2 awake.'],
    ['idle', { completed: 9 }, { awake: 1, asleep: 1 }, 'Nothing to do; 1 of 2 workers awake.'],
    ['waiting', { queued: 2 }, { asleep: 3, offline: 2 }, '2 jobs to do, but no worker is awake (3 asleep, 2 offline).'],
    ['waiting', { queued: 1 }, { awake: 1 }, '1 job to do, but no worker has taken a task yet; 1 of 1 worker awake.'],
    ['asleep', {}, { asleep: 2 }, 'Nothing to do, and no worker is awake (2 asleep).'],
    ['inoperative', {}, {}, 'No worker has registered yet.'],
    ['inoperative', {}, { offline: 2, error: 1 }, 'No worker can be reached (2 offline, 1 error).'],
    ['starting', {}, {}, 'The manager is starting.'],
    ['unknown', {}, {}, 'The manager has not told its status yet.'],
  ] as [FarmStatus, Record<string, number>, Record<string, number>, string][])('%s', (status, jobs, workers, text) => {
    expect(farmReason(status, new Map(Object.entries(jobs)), new Map(Object.entries(workers)), 2)).toBe(text);
  });

  it('gives the reason of the manager when nothing can be done', () => {
    const reason = (told: string): string => farmReason('inoperative', new Map(), new Map([['awake', 2]]), 0, told);
    expect(reason('all workers are disabled')).toBe('All workers are disabled.');
  });
});
