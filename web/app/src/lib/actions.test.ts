import { describe, expect, it } from 'vitest';
import type { JobStatus, TaskStatus } from '@/api/types';
import { mayDelete, mayJob, mayTask, needsConfirmation, precedingJobs, undoOf, workerActionsFor } from './actions';

// One line a status: what may be asked of a job in it.
const JOBS: [JobStatus, string][] = [
  ['active', 'cancel pause'],
  ['canceled', 'pause requeue'],
  ['cancel-requested', ''],
  ['completed', 'requeue'],
  ['failed', 'cancel requeue'],
  ['pause-requested', 'cancel requeue'],
  ['paused', 'cancel requeue'],
  ['queued', 'cancel pause'],
  ['requeueing', ''],
  ['under-construction', ''],
];

const TASKS: [TaskStatus, string][] = [
  ['active', 'cancel'],
  ['canceled', 'requeue'],
  ['completed', 'requeue'],
  ['failed', 'requeue'],
  ['paused', 'cancel'],
  ['queued', 'cancel'],
  ['soft-failed', 'cancel requeue'],
];

describe('actions', () => {
  it.each(JOBS)('a job that is %s offers: %s', (status, expected) => {
    const offered = (['cancel', 'pause', 'requeue'] as const).filter((action) => mayJob(action, status));
    expect(offered.join(' ')).toBe(expected);
  });

  it.each(TASKS)('a task that is %s offers: %s', (status, expected) => {
    const offered = (['cancel', 'requeue'] as const).filter((action) => mayTask(action, status, 'active'));
    expect(offered.join(' ')).toBe(expected);
  });

  it.each([
    ['pause-requested', 'cancel', 'active', false],
    ['pause-requested', 'requeue', 'failed', false],
    ['paused', 'cancel', 'paused', true],
    ['paused', 'requeue', 'failed', false],
    ['failed', 'requeue', 'failed', true],
  ] as const)('of a job that is %s, to %s a task that is %s is offered: %s', (job, action, task, expected) => {
    expect(mayTask(action, task, job)).toBe(expected);
  });

  it.each([
    ['cancel', 'active', 'requeue'],
    ['cancel', 'queued', 'requeue'],
    ['cancel', 'failed', undefined],
    ['cancel', 'paused', undefined],
    ['pause', 'active', 'requeue'],
    ['pause', 'canceled', undefined],
    ['requeue', 'canceled', undefined],
  ] as const)('undo of %s from %s is %s', (action, from, expected) => {
    expect(undoOf(action, from)).toBe(expected);
  });

  it('asks only before a finished job runs again', () => {
    expect(needsConfirmation('requeue', 'completed')).toBe(true);
    expect(needsConfirmation('requeue', 'canceled')).toBe(false);
    expect(needsConfirmation('cancel', 'active')).toBe(false);
  });
});

describe('workerActionsFor', () => {
  it('offers nothing for nobody', () => {
    expect(workerActionsFor([])).toEqual([]);
  });

  it('offers a restart only when somebody can', () => {
    expect(workerActionsFor([{ canRestart: false }]).map((action) => action.key)).toEqual([
      'wake',
      'sleep-lazy',
      'sleep-now',
      'shutdown-lazy',
      'shutdown-now',
    ]);
    expect(workerActionsFor([{ canRestart: false }, { canRestart: true }])).toHaveLength(7);
  });
});

describe('deleting jobs', () => {
  it('is possible once nothing of a job runs', () => {
    const deletable = JOBS.map(([status]) => status).filter(mayDelete);
    expect(deletable).toEqual(['canceled', 'completed', 'failed', 'paused', 'queued']);
  });

  it('selects what precedes the latest of the selection, and only what is shown', () => {
    const job = (id: string, updated: number) => ({ id, updated });
    const shown = [job('a', 1), job('b', 2), job('c', 2), job('d', 3)];
    expect(precedingJobs(shown, [job('a', 1), job('b', 2)])).toEqual(['a', 'b', 'c']);
    expect(precedingJobs(shown, [])).toEqual([]);
  });
});
