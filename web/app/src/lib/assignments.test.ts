import { expect, it } from 'vitest';
import { assignments, sameAssignment } from './assignments';

const task = (id: string, worker: string, status: 'active' | 'completed' = 'active', updated = '2026-01-01T00:00:00Z') => ({
  id,
  name: `task ${id}`,
  status,
  updated,
  worker: { id: worker, name: worker },
});

it('finds the active task of each worker, and of two the newer', () => {
  const found = assignments([
    { id: 'j1', name: 'One', tasks: [task('a', 'w1'), task('b', 'w2', 'completed'), task('c', ''), task('d', 'w3')] },
    { id: 'j2', name: 'Two', tasks: [task('e', 'w3', 'active', '2026-01-01T00:00:01Z')] },
  ]);
  expect([...found].map(([worker, one]) => `${worker} ${one.jobName} ${one.taskId}`)).toEqual(['w1 One a', 'w3 Two e']);
});

it('knows when nothing has changed', () => {
  const one = { jobId: 'j', jobName: 'One', taskId: 'a', taskName: 'task a' };
  expect(sameAssignment(one, { ...one })).toBe(true);
  expect(sameAssignment(one, { ...one, taskId: 'b' })).toBe(false);
  expect(sameAssignment(one, null)).toBe(false);
  expect(sameAssignment(null, null)).toBe(true);
});
