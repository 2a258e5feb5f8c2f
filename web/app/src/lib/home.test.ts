// What the home page and the shots page are made of.
import { describe, expect, it } from 'vitest';
import type { Attention, StuckReason } from '@/api/types';
import { attention } from './attention';
import { endWords, leftText } from './estimate';
import { framesToday, hourBars, loadBars, niceTop } from './hourChart';
import { jobProgress } from './jobProgress';
import { shotsOf } from './shots';

const NOW = Date.UTC(2026, 0, 2, 12);
const HOUR = 3_600_000;
const counts = (failed = 0, soft_failed = 0) => ({ failed, soft_failed });
const job = (id: string, fields: object = {}) => ({ id, name: `job ${id}`, status: 'active', updated: NOW - HOUR, frameFailures: 0, tasks: counts(), ...fields });
const worker = (id: string, status: string, ago = HOUR) => ({ id, name: `worker ${id}`, status, lastSeen: NOW - ago, enabled: true, machine: null as { disk: number | undefined } | null });

describe('what needs attention', () => {
  const awake = worker('w', 'awake');
  const words = (jobs: ReturnType<typeof job>[], workers = [awake], waiting: Attention | null = null) => attention(jobs, workers, waiting, NOW, 10).shown.map(({ id, why, to }) => [id, why, to]);

  it('is nothing when all is well', () => expect(words([job('a'), job('b', { status: 'completed' })])).toEqual([]));
  it('a job that failed leads to its failed tasks', () => {
    expect(words([job('a', { status: 'failed', tasks: counts(2) })])).toEqual([['a', 'The job failed: 2 tasks did.', '/jobs/a?status=failed']]);
  });
  const stuck = (reason: StuckReason, tasks = 3) => ({ blocked: [], stuck: [{ job: 'a', job_name: 'job a', task_types: ['blender'], tasks, reason }] });
  it.each([
    ['no-type', 'No worker does its tasks (blender); 3 tasks wait.', '/jobs/a/details'],
    ['no-tag', 'No worker that could do its tasks has its tag (blender); 3 tasks wait.', '/jobs/a/details'],
    ['blocked', 'Every worker that could do its tasks is on its blocklist (blender); 3 tasks wait.', '/jobs/a/workers'],
    ['disabled', 'The workers that could do its tasks are disabled (blender); 3 tasks wait.', '/workers'],
    ['away', 'The workers that could do its tasks are asleep or gone (blender); 3 tasks wait.', '/workers'],
  ] as const)('a job that nobody can do says why: %s', (reason, why, to) => {
    expect(words([job('a', { tasks: counts(0, 1) })], [awake], stuck(reason))).toEqual([['a stuck', why, to]]);
  });
  it('tells once that nobody works, not for each job', () => {
    const gone = [worker('o', 'offline', 200 * HOUR)];
    expect(words([job('a')], gone, stuck('away')).map(([id]) => id)).toEqual(['nobody']);
    expect(words([job('a')], gone, stuck('no-tag', 1)).map(([id]) => id)).toEqual(['nobody', 'a stuck']);
  });
  it('blocked workers are told by job, and lead to its blocklist', () => {
    const since = new Date(NOW - HOUR).toISOString();
    const block = (name: string, types = ['blender']) => ({ job: 'a', job_name: 'job a', worker: name, worker_name: name, task_types: types, since });
    const blocked = [block('n1', ['blender', 'ffmpeg']), block('n2'), block('n3'), block('n4'), { ...block('n1'), job: 'b' }];
    expect(words([], [awake], { blocked, stuck: [] })).toEqual([
      ['a blocked', 'Failed too often, and blocked: n1 (blender, ffmpeg), n2 (blender), n3 (blender) and 1 more.', '/jobs/a/workers'],
      ['b blocked', 'Failed too often, and blocked: n1 (blender).', '/jobs/b/workers'],
    ]);
  });
  it('what is wrong with a machine is told while its worker is there', () => {
    const told = (status: string) => attention([], [worker('w', status)], null, NOW, 9, () => ['It may be stuck.']).shown.map(({ why }) => why);
    expect(told('awake')).toEqual(['It may be stuck.']);
    expect(told('offline')).toEqual(['The worker is gone.']);
  });
  it('what failed the day before yesterday is over', () => expect(words([job('a', { status: 'failed', updated: NOW - 30 * HOUR })])).toEqual([]));
  it('frames that came out wrong lead to those frames', () => {
    expect(words([job('a', { frameFailures: 1 })])[0]).toEqual(['a', '1 frame came out wrong.', '/jobs/a/frames?status=failed,broken,empty,missing']);
  });
  it('work without anybody awake comes first', () => {
    const found = words([job('a', { tasks: counts(1) })], [worker('e', 'error'), worker('o', 'offline')]);
    expect(found.map(([id]) => id)).toEqual(['nobody', 'e', 'a', 'o']);
  });
  it('a worker that was switched off last week is not missed', () => expect(words([], [awake, worker('o', 'offline', 200 * HOUR)])).toEqual([]));
  it('a worker that is disabled does no work', () => {
    expect(words([job('a')], [{ ...awake, enabled: false }])).toEqual([['nobody', '1 job to do, and no worker is awake and enabled.', '/workers']]);
  });
  it('a disk that is nearly full is told, as long as its worker is there', () => {
    const full = { machine: { disk: 93.7 } };
    expect(words([], [{ ...awake, ...full }])).toEqual([['w', 'Its fullest disk is 93 % full.', '/workers/w']]);
    expect(words([], [awake, { ...worker('o', 'offline', 200 * HOUR), ...full }])).toEqual([]);
  });
  it('tells how many there are beyond those shown', () => {
    const many = Array.from({ length: 5 }, (_, index) => job(`${index}`, { status: 'failed' }));
    expect(attention(many, [awake], null, NOW, 3)).toMatchObject({ total: 5, shown: [{}, {}, {}] });
  });
});

describe('the estimate', () => {
  const at = (ms: number) => new Date(NOW + ms).toISOString();
  it('says when, how long, and how sure', () => {
    const words = endWords({ end: at(HOUR), earliest: at(HOUR / 2), latest: at(2 * HOUR), left_ms: HOUR }, NOW);
    expect(words?.left).toBe('in 1 h');
    expect(words?.range).toMatch(/^Probably between \d\d:\d\d and \d\d:\d\d$/);
  });
  it('is none without one', () => expect(endWords(undefined, NOW)).toBeUndefined());
  it('an end that has passed is due', () => expect(leftText(NOW - 1, NOW)).toBe('any moment'));
});

describe('frames today', () => {
  it('are those since midnight', () => {
    const midnight = new Date(NOW).setHours(0, 0, 0, 0);
    const period = (at: number, frames: number) => ({ from: new Date(at).toISOString(), frames, failures: 9, render_ms: 0 });
    expect(framesToday([period(midnight - HOUR, 5), period(midnight, 7), period(midnight + HOUR, 2)], NOW)).toBe(9);
  });
});

describe('load by hour', () => {
  it('has a place for each of the last 24 hours, also those of which nothing is known', () => {
    const from = (hours: number): string => new Date(NOW - hours * HOUR).toISOString();
    const bars = loadBars([{ from: from(23), cpu_percent: 40, workers: 2 }, { from: from(0), cpu_percent: 101, workers: 1 }], NOW + HOUR / 2);
    expect(bars).toHaveLength(24);
    expect(bars[0]).toMatchObject({ at: NOW - 23 * HOUR, percent: 40, workers: 2, height: 40 });
    expect(bars[1]).toMatchObject({ percent: undefined, workers: 0, height: 0 });
    expect(bars[23]).toMatchObject({ at: NOW, percent: 101, height: 100 });
    expect(bars[23]!.x + bars[23]!.width).toBeLessThan(100);
  });
});

describe('frames by hour', () => {
  it.each([[0, 5], [5, 5], [7, 8], [290, 300], [1200, 1500], [99_000, 100_000]])('%d fits below %d', (value, top) => expect(niceTop(value)).toBe(top));
  it('stacks failures on what was done', () => {
    const { bars, total } = hourBars([
      { from: at(0), frames: 6, failures: 2, render_ms: 0 },
      { from: at(1), frames: 0, failures: 0, render_ms: 0 },
    ]);
    expect(total).toBe(6);
    expect(bars.map((bar) => [bar.height, bar.failedHeight])).toEqual([[75, 25], [0, 0]]);
  });
  const at = (hour: number) => new Date(NOW + hour * HOUR).toISOString();
});

describe('progress', () => {
  it('is in frames where they are known', () => {
    expect(jobProgress({ framesDone: 3, framesTotal: 10, stepsCompleted: 1, stepsTotal: 4 })).toEqual({ done: 3, total: 10, words: '3 of 10 frames' });
  });
  it('else in steps', () => {
    expect(jobProgress({ status: 'completed', framesDone: 3, framesTotal: 10, stepsCompleted: 4, stepsTotal: 4 }).done).toBe(10);
    expect(jobProgress({ framesDone: -1, framesTotal: -1, stepsCompleted: 1, stepsTotal: 4 }).words).toBe('1 of 4 steps');
  });
});

describe('shots', () => {
  const made = (id: string, shot: string, created: number, project = 'Spring', thumb = '') => ({ id, name: shot, shot, project, status: 'completed', created, updated: created, thumb });
  const jobs = [made('1', 'sh10', 1, 'Spring', '/1.jpg'), made('2', 'sh2', 2), made('3', 'sh10', 3), made('4', 'sh10', 4, 'Autumn')];

  it('are the jobs of the same shot of a project, in natural order', () => {
    expect(shotsOf(jobs, '').map(({ project, name, jobs: own }) => [project, name, own.length])).toEqual([
      ['Autumn', 'sh10', 1], ['Spring', 'sh2', 1], ['Spring', 'sh10', 2],
    ]);
  });
  it('the newest job speaks for the shot, with the newest picture there is', () => {
    expect(shotsOf(jobs, '').at(-1)).toMatchObject({ job: { id: '3' }, thumb: '/1.jpg' });
  });
  it('can be filtered', () => expect(shotsOf(jobs, 'AUTUMN').map(({ job: one }) => one.id)).toEqual(['4']));
});
