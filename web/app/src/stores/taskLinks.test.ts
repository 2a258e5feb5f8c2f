import { flushPromises } from '@vue/test-utils';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { effectScope, shallowRef, type EffectScope } from 'vue';
import { fakeManager, type FakeManager } from './fakeManager';
import { useTaskLinks } from './taskLinks';

const PATH = 'GET /api/v3/tasks/a/dependencies';
const NONE = { queued: 0, soft_failed: 0, active: 0, completed: 0, failed: 0, canceled: 0, paused: 0 };
const EMPTY = { total: 0, counts: NONE, tasks: [] };
const task = (index: number) => ({ id: `t${index}`, name: `task ${index}`, status: 'queued', index_in_job: index });
const list = (from: number, to: number, next?: number) => ({
  total: 10_000, counts: { ...NONE, queued: 10_000 }, tasks: Array.from({ length: to - from + 1 }, (_, place) => task(from + place)), ...(next ? { next_after: next } : {}),
});
let [manager, scope, queries]: [FakeManager, EffectScope, string[]] = [fakeManager(), effectScope(), []];

beforeEach(() => {
  vi.useFakeTimers();
  [manager, scope, queries] = [fakeManager(), effectScope(), []];
  const fake = globalThis.fetch;
  vi.stubGlobal('fetch', (request: Request) => {
    queries.push(new URL(request.url).search);
    return fake(request);
  });
});
afterEach(() => {
  scope.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function opened(body: object) {
  manager.answer(PATH, { body });
  const [id, status] = [shallowRef('a'), shallowRef('queued')];
  const links = scope.run(() => useTaskLinks(() => id.value, () => status.value));
  await flushPromises();
  if (!links) throw new Error('the scope has ended');
  return { id, status, links };
}

it('reads both sides at once, and again when the task has changed', async () => {
  const { status, links } = await opened({ reasons: ['dependencies'], waits_for: list(1, 50, 50), needed_by: EMPTY });
  expect(links.reasons.value).toEqual(['dependencies']);
  expect(links.waitsFor.value?.total).toBe(10_000);
  manager.answer(PATH, { body: { reasons: [], waits_for: EMPTY, needed_by: EMPTY } });
  status.value = 'active';
  await flushPromises();
  expect([links.reasons.value, links.waitsFor.value?.total]).toEqual([[], 0]);
  expect(queries).toEqual(['?limit=50', '?limit=50']);
});

it('shows the next page below the first one, and keeps both when it is read again', async () => {
  const { links } = await opened({ reasons: [], waits_for: list(1, 50, 50), needed_by: EMPTY });
  manager.answer(PATH, { body: { reasons: [], waits_for: list(51, 250, 250), needed_by: EMPTY } });
  await links.more('waits_for');
  expect(links.waitsFor.value?.tasks.map((one) => one.index_in_job)).toEqual(Array.from({ length: 250 }, (_, place) => place + 1));
  expect(queries.at(-1)).toBe('?limit=200&waits_for_after=50');
  manager.answer(PATH, { body: { reasons: [], waits_for: list(1, 250, 250), needed_by: EMPTY } });
  for (let times = 0; times < 5; times++) links.touch();
  await vi.advanceTimersByTimeAsync(2000);
  expect(queries.slice(2)).toEqual(['?limit=250']);
});

it('lists one status on one side only', async () => {
  const { links } = await opened({ reasons: [], waits_for: list(1, 50, 50), needed_by: list(7, 9) });
  links.only('waits_for', 'failed');
  await flushPromises();
  expect(queries.slice(1)).toEqual(['?limit=50&status=failed', '?limit=50']);
});

it('forgets what it knew of the task before', async () => {
  const { id, links } = await opened({ reasons: ['turn'], waits_for: list(1, 50), needed_by: EMPTY });
  id.value = 'b';
  await flushPromises();
  expect([links.reasons.value, links.waitsFor.value, links.error.value?.message]).toEqual([[], null, 'no such thing']);
});
