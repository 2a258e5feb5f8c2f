import { flushPromises } from '@vue/test-utils';
import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { shallowRef } from 'vue';
import { useCleanUp, type Wanted } from './cleanUp';
import { fakeManager, type FakeManager } from './fakeManager';
import { useNotifications } from './notifications';

const PATH = '/api/v3/jobs/mass-delete';
const found = (total: number) => ({ moment: '2026-01-02T00:00:00Z', total, statuses: [], jobs: [], shaman_checkouts: 0, shared_checkouts: 0, kept_statuses: [], kept_newer: 0, already_marked: 0 });
let manager: FakeManager;
beforeEach(() => {
  setActivePinia(createPinia());
  manager = fakeManager();
});
afterEach(() => vi.unstubAllGlobals());

async function opened(total: number) {
  manager.answer(`GET ${PATH}`, { body: found(total) });
  const wanted = shallowRef<Wanted | undefined>({ moment: new Date('2026-01-01T23:59:59.5Z'), statuses: ['completed'] });
  const cleanUp = useCleanUp(() => wanted.value);
  await flushPromises();
  return { wanted, cleanUp };
}

it('deletes what was told, and says how many', async () => {
  const { cleanUp } = await opened(3);
  expect(cleanUp.preview.value?.total).toBe(3);
  manager.answer(`DELETE ${PATH}`, { body: { marked: 3 } });
  expect(await cleanUp.remove()).toBe(true);
  expect(manager.bodies).toEqual([{ last_updated_max: '2026-01-02T00:00:00Z', statuses: ['completed'], expected_jobs: 3 }]);
  expect(useNotifications().list.at(-1)?.text).toContain('Marked 3 jobs for deletion.');
});

it('deletes nothing when it is another number by now, and tells the new one', async () => {
  const { cleanUp } = await opened(3);
  manager.answer(`DELETE ${PATH}`, { status: 409, body: { code: 409, message: '2 jobs would be deleted now, not 3' } });
  manager.answer(`GET ${PATH}`, { body: found(2) });
  expect(await cleanUp.remove()).toBe(false);
  expect([cleanUp.preview.value?.total, cleanUp.error.value?.message]).toEqual([2, '2 jobs would be deleted now, not 3']);
  expect(useNotifications().list).toHaveLength(0);
});

it('asks for nothing without a moment, and again when something else is wanted', async () => {
  const { wanted, cleanUp } = await opened(3);
  wanted.value = undefined;
  await flushPromises();
  expect(cleanUp.preview.value).toBeNull();
  expect(await cleanUp.remove()).toBe(false);
  expect(manager.asked).toEqual([`GET ${PATH}`]);
  wanted.value = { moment: new Date(0), statuses: [] };
  await flushPromises();
  expect(manager.asked).toHaveLength(2);
});

it('says why nothing can be told', async () => {
  manager.answer(`GET ${PATH}`, { status: 500, body: { code: 500, message: 'database is full' } });
  const cleanUp = useCleanUp(() => ({ moment: new Date(0), statuses: [] }));
  await flushPromises();
  expect(cleanUp.error.value?.message).toBe('database is full');
});
