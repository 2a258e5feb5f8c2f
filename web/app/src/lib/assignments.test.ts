import { expect, it } from 'vitest';
import { assignments, sameAssignment, stepsText } from './assignments';

const task = (job: string, id: string, worker: string, status: 'active' | 'completed' = 'active', updated = '2026-01-01T00:00:00Z') => ({
  job,
  job_name: `job ${job}`,
  task: { id, name: `task ${id}`, status, updated, task_type: job === '2' ? 'ffmpeg' : 'blender', steps_completed: 3, steps_total: 10, worker: { id: worker, name: worker } },
});

it('finds the active task of each worker, and of two the newer', () => {
  const found = assignments([
    ...[task('1', 'a', 'w1'), task('1', 'b', 'w2', 'completed'), task('1', 'c', ''), task('1', 'd', 'w3')],
    task('2', 'e', 'w3', 'active', '2026-01-01T00:00:01Z'),
  ]);
  expect([found.get('w1'), found.get('w3')]).toMatchObject([{ isRender: true, done: 3, total: 10 }, { isRender: false }]);
  expect([...found].map(([worker, one]) => `${worker} ${one.jobName} ${one.taskId}`)).toEqual(['w1 job 1 a', 'w3 job 2 e']);
});

it('knows when nothing has changed', () => {
  const one = { jobId: 'j', jobName: 'One', taskId: 'a', taskName: 'task a', isRender: true, done: 1, total: 2 };
  expect(sameAssignment(one, { ...one })).toBe(true);
  expect(sameAssignment(one, { ...one, taskId: 'b' })).toBe(false);
  expect(sameAssignment(one, { ...one, done: 2 })).toBe(false);
  expect([stepsText(one), stepsText({ ...one, total: 1 })]).toEqual(['1 of 2', '']);
  expect(sameAssignment(one, null)).toBe(false);
  expect(sameAssignment(null, null)).toBe(true);
});
