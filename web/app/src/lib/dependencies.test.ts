import { describe, expect, it } from 'vitest';
import type { JobTaskCounts, LinkedTasks, WaitReason } from '@/api/types';
import { countsText, reasonText, statusCounts } from './dependencies';

const NONE: JobTaskCounts = { queued: 0, soft_failed: 0, active: 0, completed: 0, failed: 0, canceled: 0, paused: 0 };
const linked = (counts: Partial<JobTaskCounts>): LinkedTasks => ({
  total: Object.values(counts).reduce((sum, count) => sum + count, 0), counts: { ...NONE, ...counts }, tasks: [],
});
const text = (reason: WaitReason, counts: Partial<JobTaskCounts> = {}) => reasonText(reason, { jobId: 'j', taskType: 'blender', waitsFor: linked(counts) });

describe('why a task does not start', () => {
  it.each([
    ['dependencies', { queued: 1 }, 'The task that it waits for is not completed yet.'],
    ['dependencies', { queued: 1, completed: 2 }, '1 of the 3 tasks that it waits for is not completed yet.'],
    ['dependencies', { queued: 9_000, active: 998, completed: 2 }, '9,998 of the 10,000 tasks that it waits for are not completed yet.'],
    ['dependency-failed', { failed: 1, completed: 2 }, 'It waits for 1 task that has failed or was canceled: it can only start once that is requeued and completed.'],
    ['dependency-failed', { failed: 1, canceled: 2 }, 'It waits for 3 tasks that have failed or were canceled: it can only start once those are requeued and completed.'],
    ['no-type', {}, 'No worker does tasks of the type blender.'],
  ] as const)('%s %j', (reason, counts, expected) => expect(text(reason, counts).text).toBe(expected));

  it('has words for each reason, and leads to where something can be done', () => {
    const all: WaitReason[] = ['job-deleted', 'job-paused', 'job-over', 'no-tag', 'blocked', 'failed-everywhere', 'disabled', 'away', 'turn'];
    expect(new Set(all.map((reason) => text(reason).text)).size).toBe(all.length);
    expect(text('blocked').look?.to).toBe('/jobs/j/workers');
    expect(text('job-paused').look).toBeUndefined();
  });
});

it('counts tell what is in trouble first', () => {
  expect(countsText({ ...NONE, completed: 9_997, failed: 3 })).toBe('3 failed, 9,997 completed');
  expect(statusCounts(NONE)).toEqual([]);
});
