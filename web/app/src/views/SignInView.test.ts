import { flushPromises, mount } from '@vue/test-utils';
import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { useSession } from '@/stores/session';
import { fakeManager, type FakeManager } from '@/stores/fakeManager';
import SignInView from './SignInView.vue';

let manager: FakeManager;
beforeEach(() => {
  setActivePinia(createPinia());
  manager = fakeManager();
});
afterEach(() => vi.unstubAllGlobals());

it('says where the token is, what was wrong, and lets in who has it', async () => {
  const page = mount(SignInView);
  expect(page.text()).toContain('flamenco-manager.yaml');
  const button = page.get('button');
  expect(button.attributes('disabled')).toBeDefined();
  expect(page.get('input').attributes('type')).toBe('password');

  manager.answer('POST /api/v3/session', { status: 401, body: { code: 401, message: 'this is not the admin token' } });
  await page.get('input').setValue(' guess ');
  await page.get('form').trigger('submit');
  await flushPromises();
  expect(page.get('[role=alert]').text()).toBe('this is not the admin token');
  expect(manager.bodies).toEqual([{ token: 'guess' }]);

  manager.answer('POST /api/v3/session', { status: 204 });
  manager.answer('GET /api/v3/session', { body: { token_required: true, signed_in: true } });
  await page.get('input').setValue('right');
  await button.trigger('click');
  await flushPromises();
  expect(page.get('[role=alert]').text()).toBe('');
  expect(useSession().state).toBe('open');
});
