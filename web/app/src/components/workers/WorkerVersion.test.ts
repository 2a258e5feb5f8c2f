import { mount } from '@vue/test-utils';
import { createPinia, setActivePinia } from 'pinia';
import { beforeEach, expect, it } from 'vitest';
import { useFarm } from '@/stores/farm';
import WorkerVersion from './WorkerVersion.vue';

beforeEach(() => setActivePinia(createPinia()));

it('marks a worker of another version than the manager, and names both', async () => {
  const shown = mount(WorkerVersion, { props: { version: '1.2.2' } });
  expect(shown.find('.badge').exists(), 'as long as the version of the manager is not known').toBe(false);
  useFarm().version = { name: 'Farm', version: '1.2.3 (abc)', shortversion: '1.2.3', git: 'abc' };
  await shown.vm.$nextTick();
  expect(shown.get('.badge').text()).toContain('differs');
  for (const version of ['1.2.2', '1.2.3']) expect(shown.get('span').attributes('title')).toContain(version);
  await shown.setProps({ version: '1.2.3' });
  expect(shown.find('.badge').exists()).toBe(false);
  expect(shown.text()).toBe('1.2.3');
});
