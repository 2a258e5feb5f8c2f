import { flushPromises, mount } from '@vue/test-utils';
import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { fakeManager, type FakeManager } from '@/stores/fakeManager';
import BrokenJobTypes from './BrokenJobTypes.vue';

const PATH = 'GET /api/v3/jobs/types/broken';
let manager: FakeManager;
beforeEach(() => {
  vi.useFakeTimers();
  setActivePinia(createPinia());
  manager = fakeManager();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it('names each script with the place of the mistake, and follows when it is mended', async () => {
  const script = { name: 'my-render', file: '/farm/scripts/my_render.js', message: 'no such camera', wrong_file: 'lib/cameras.js', line: 3, column: 9 };
  manager.answer(PATH, { body: { job_types: [script, { name: 'typo', file: '/farm/scripts/typo.js', message: 'unknown variant' }] } });
  const list = mount(BrokenJobTypes);
  await flushPromises();
  const [first, second] = list.findAll('li').map((item) => item.text());
  for (const part of ['my-render', 'no such camera', 'lib/cameras.js:3:9', '/farm/scripts/my_render.js']) expect(first).toContain(part);
  expect(second).toContain('unknown variant');

  manager.answer(PATH, { body: { job_types: [] } });
  await vi.advanceTimersByTimeAsync(6000);
  await flushPromises();
  expect(list.findAll('li')).toHaveLength(0);
  expect(list.text()).toContain('every job type can be used');
  list.unmount();
});

it('says so when a manager does not have the list', async () => {
  const list = mount(BrokenJobTypes);
  await flushPromises();
  expect(list.text()).toContain('could not be read');
  list.unmount();
});
