import { flushPromises, mount, type VueWrapper } from '@vue/test-utils';
import { createPinia, setActivePinia, type Pinia } from 'pinia';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { router } from '@/router';
import { fakeManager, type FakeManager } from '@/stores/fakeManager';
import { useNotifications } from '@/stores/notifications';
import { useSession } from '@/stores/session';
import SignInView from './SignInView.vue';

let [manager, pinia]: [FakeManager, Pinia] = [fakeManager(), createPinia()];
beforeEach(() => {
  localStorage.clear();
  pinia = createPinia();
  setActivePinia(pinia);
  manager = fakeManager();
});
afterEach(() => vi.unstubAllGlobals());

const SESSION = '/api/v3/session';
const none = { token_required: true, signed_in: false, role: 'none', token_shown: false, without_token: 'none' };
function page(): VueWrapper {
  return mount(SignInView, { global: { plugins: [pinia, router] } });
}

it('says where the tokens are, what was wrong, and lets in who has one', async () => {
  manager.answer(`GET ${SESSION}`, { body: none });
  await useSession().check();
  await router.replace('/jobs');
  const view = page();
  expect(view.text()).toContain('flamenco-manager.yaml');
  const button = view.get('button');
  expect(button.attributes('disabled')).toBeDefined();
  expect(view.get('#token').attributes('type')).toBe('password');

  manager.answer(`POST ${SESSION}`, { status: 401, body: { code: 401, message: 'this is not a token of this manager' } });
  await view.get('#token').setValue(' guess ');
  await view.get('form').trigger('submit');
  await flushPromises();
  expect(view.get('[role=alert]').text()).toBe('this is not a token of this manager');
  expect(manager.bodies).toEqual([{ token: 'guess' }]);

  manager.answer(`POST ${SESSION}`, { status: 204 });
  manager.answer(`GET ${SESSION}`, { body: { ...none, signed_in: true, role: 'artist', token_shown: true, name: 'Lighting' } });
  await view.get('#token').setValue('right');
  await view.get('#name').setValue('Lighting');
  await view.get('form').trigger('submit');
  await flushPromises();
  expect(view.get('[role=alert]').text()).toBe('');
  expect([useSession().state, router.currentRoute.value.path]).toEqual(['open', '/jobs']);
  expect(manager.bodies.at(-1)).toEqual({ token: 'right', name: 'Lighting' });
  expect(useNotifications().toasts.map(({ text }) => text)).toEqual(['Signed in as Lighting, artist: you may submit and change jobs.']);
  view.unmount();
  expect((page().get('#name').element as HTMLInputElement).value).toBe('Lighting');
});

it('offers the way back to who may look without a token, and leads on to the page that was wanted', async () => {
  const viewer = { ...none, signed_in: true, role: 'viewer', without_token: 'viewer' };
  manager.answer(`GET ${SESSION}`, { body: viewer });
  await useSession().check();
  await router.push('/sign-in?to=/tags');
  const view = page();
  expect(view.text()).toContain('Without signing in, you may look at everything');
  expect(view.get('a').attributes('href')).toBe('/app/tags');

  manager.answer(`POST ${SESSION}`, { status: 204 });
  manager.answer(`GET ${SESSION}`, { body: { ...viewer, role: 'admin', token_shown: true } });
  await view.get('#token').setValue('right');
  await view.get('form').trigger('submit');
  await vi.waitFor(() => expect(router.currentRoute.value.path).toBe('/tags'));
  expect(useNotifications().toasts.map(({ text }) => text)).toEqual(['Signed in as admin: you may do everything.']);
});
