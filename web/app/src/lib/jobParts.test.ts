// What the parts of the job page are made of.
import { describe, expect, it } from 'vitest';
import { fileName } from './download';
import { MOST_ENTRIES, jobHistory } from './jobHistory';
import { fpsOf, rendersEveryNumber } from './jobSettings';
import { jobWorkers } from './jobWorkers';
import { viewerPlatform } from './platform';

const JOB = { created: 10, updated: 90, status: 'active', activity: 'Working', deleteRequestedAt: 0 };
const task = (id: string, status: string, updated: number, workerName = 'w') => ({ id, name: `task ${id}`, status, updated, workerName });

describe('the history of a job', () => {
  it('has what its tasks did, newest first, and how it began', () => {
    const entries = jobHistory(JOB, [task('a', 'completed', 50), task('b', 'active', 70), task('c', 'queued', 80)]);
    expect(entries.map(({ at, text }) => [at, text])).toEqual([
      [90, 'Working'], [70, 'task b on w'], [50, 'task a by w'], [10, 'Submitted'],
    ]);
  });
  it('tells that a deletion was asked for', () => {
    expect(jobHistory({ ...JOB, deleteRequestedAt: 95 }, [])[0]?.text).toBe('Deletion was asked for');
  });
  it('does not grow without end', () => {
    const many = Array.from({ length: 2000 }, (_, index) => task(`${index}`, 'completed', 11 + (index % 60)));
    expect(jobHistory(JOB, many).length).toBe(MOST_ENTRIES + 2);
  });
});

describe('the workers of a job', () => {
  const times = { count: 2, total_ms: 40, mean_ms: 20 };
  it('are those of its tasks and of its frames, together', () => {
    const tasks = [
      { workerId: 'a', workerName: 'A', status: 'completed' },
      { workerId: 'a', workerName: 'A', status: 'failed' },
      { workerId: 'b', workerName: 'B', status: 'active' },
      { workerId: '', workerName: '', status: 'queued' },
    ];
    const frames = [{ worker: 'b', name: 'B', frames: 2, failures: 1, render_time: times }, { frames: 1, failures: 0, render_time: { count: 0, total_ms: 0 } }];
    expect(jobWorkers(tasks, frames)).toEqual([
      { id: 'b', name: 'B', completed: 0, active: 1, failed: 0, frames: 2, frameFailures: 1, meanMs: 20, totalMs: 40 },
      { id: '', name: 'a worker that was removed', completed: 0, active: 0, failed: 0, frames: 1, frameFailures: 0, meanMs: undefined, totalMs: undefined },
      { id: 'a', name: 'A', completed: 1, active: 0, failed: 1, frames: 0, frameFailures: 0, meanMs: undefined, totalMs: undefined },
    ]);
  });
});

describe('settings that a preview needs', () => {
  it.each([[{ fps: 25 }, 25], [{ fps: '23.976' }, 23.976], [{ fps: 0 }, undefined], [{}, undefined], [undefined, undefined]])('rate of %o', (settings, fps) =>
    expect(fpsOf(settings)).toBe(fps));
  it.each([
    [{ frames: '1-10' }, true],
    [{ frames: '1-3,4-9' }, true],
    [{ frames: '1..10' }, true],
    [{ frames: '1,5,9' }, false],
    [{ frames: 'nonsense' }, false],
    [{}, true],
  ])('%o asks for each number: %s', (settings, every) => expect(rendersEveryNumber(settings)).toBe(every));
});

describe('small things', () => {
  it.each([
    ['Shot 3: "final" v2', 'Shot-3-final-v2'],
    ['../..', 'job'],
    ['größer', 'größer'],
  ])('%s as a file name', (name, expected) => expect(fileName(name)).toBe(expected));
  it.each([
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64)', 'windows'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)', 'darwin'],
    ['Mozilla/5.0 (X11; Linux x86_64)', 'linux'],
  ])('%s', (agent, platform) => expect(viewerPlatform(agent)).toBe(platform));
});
