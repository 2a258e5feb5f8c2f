import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { effectScope, type EffectScope } from 'vue';
import { fakeManager, type FakeManager } from './fakeManager';
import { MOST_LINES, useManagerLog, type LiveManagerLog } from './useManagerLog';

const LOG = 'GET /api/v3/configuration/log';
const [TODAY, TOMORROW] = ['2026-02-03T14:05:31Z', '2026-02-04T09:00:00Z'];
let [manager, scope]: [FakeManager, EffectScope] = [fakeManager(), effectScope()];
beforeEach(() => {
  manager = fakeManager();
  scope = effectScope();
});
afterEach(() => {
  scope.stop();
  vi.unstubAllGlobals();
});

const answer = (lines: string[], total: number, began_at = TODAY) => manager.answer(LOG, { body: { began_at, lines, total } });
async function open(): Promise<LiveManagerLog> {
  const log = scope.run(() => useManagerLog());
  if (!log) throw new Error('no scope');
  await vi.waitFor(() => expect(log.reading.ready.value || log.reading.error.value).toBeTruthy());
  return log;
}
const shown = ({ lines, gone }: LiveManagerLog) => [lines.value.map(({ key, text }) => `${key} ${text}`).join(', '), gone.value];

it('asks only for what it has not seen', async () => {
  answer(['c', 'd'], 4);
  const log = await open();
  expect([shown(log), log.began.value]).toEqual([['2 c, 3 d', 2], TODAY]);
  answer(['e'], 5);
  await log.reading.read();
  expect(shown(log)).toEqual(['2 c, 3 d, 4 e', 2]);
  const before = log.lines.value;
  answer([], 5);
  await log.reading.read();
  expect(log.lines.value, 'nothing is drawn again').toBe(before);
  expect(manager.queries).toEqual(['', '?after=4', '?after=5']);
});

it('begins anew with another process, also where that has logged more already', async () => {
  answer(['a'], 1);
  const log = await open();
  manager.answer(LOG, async () => ({
    body: { began_at: TOMORROW, lines: manager.queries.at(-1) === '' ? ['x', 'y', 'z'] : ['y', 'z'], total: 3 },
  }));
  await log.reading.read();
  expect([shown(log), log.began.value]).toEqual([['0 x, 1 y, 2 z', 0], TOMORROW]);
});

it('leaves out what came and went unseen', async () => {
  answer(['a'], 1);
  const log = await open();
  answer(['y', 'z'], 2000);
  await log.reading.read();
  expect(shown(log)).toEqual(['1998 y, 1999 z', 1998]);
});

it('keeps only so many lines', async () => {
  answer(['a'], 1);
  const log = await open();
  answer(Array.from({ length: MOST_LINES }, (_, n) => `${n}`), 1 + MOST_LINES);
  await log.reading.read();
  expect([log.lines.value.length, log.lines.value[0]?.text, log.gone.value]).toEqual([MOST_LINES, '0', 1]);
});

it('keeps what it has when the manager is away', async () => {
  answer(['a'], 1);
  const log = await open();
  manager.answer(LOG, () => Promise.reject(new TypeError('gone')));
  await log.reading.read();
  expect([shown(log), log.reading.error.value?.unreachable]).toEqual([['0 a', 0], true]);
});
