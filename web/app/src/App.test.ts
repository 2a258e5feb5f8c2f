import { flushPromises, mount, type VueWrapper } from '@vue/test-utils';
import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import App from './App.vue';
import type { Role } from './lib/roles';
import { router } from './router';
import { fakeManager, type FakeManager } from './stores/fakeManager';

let [manager, page]: [FakeManager, VueWrapper | undefined] = [fakeManager(), undefined];
beforeEach(() => {
  sessionStorage.clear();
  manager = fakeManager();
});
afterEach(() => {
  page?.unmount();
  vi.unstubAllGlobals();
});

/** What is shown to that role by a manager with or without tokens. */
async function shown(role: Role, isFirstRun: boolean, tokens = role !== 'admin'): Promise<string> {
  const session = { token_required: tokens, signed_in: role !== 'none', role, token_shown: false, without_token: role };
  manager.answer('GET /api/v3/session', { body: session });
  const configuration = { isFirstRun, storageLocation: '', shamanEnabled: false };
  manager.answer('GET /api/v3/configuration', role !== 'none' ? { body: configuration } : { status: 401, body: { code: 401, message: 'token?' } });
  const pinia = createPinia();
  setActivePinia(pinia);
  page = mount(App, { global: { plugins: [pinia, router], stubs: { FarmPage: { template: '<h1>the farm</h1>' } } } });
  await vi.waitFor(async () => {
    await flushPromises();
    expect(page?.find('h1, h2').exists()).toBe(true);
  }, 10_000);
  return page.find('h1, h2').text();
}

// The assistant is a file of its own, which has to be compiled first.
describe('what the page is', { timeout: 15_000 }, () => {
  it('asks for the token first, and tells nothing about the farm', async () => {
    expect(await shown('none', true)).toBe('Sign in');
    expect(manager.asked).not.toContain('GET /api/v3/configuration');
  });

  it('is the assistant of a new manager', async () => {
    expect(await shown('admin', true)).toBe('Welcome to Flamenco');
    await vi.waitFor(() => expect(router.currentRoute.value.name).toBe('setup'), 10_000);
  });

  it('is the farm otherwise, also at an address of the assistant', async () => {
    await router.replace('/setup/review');
    expect(await shown('admin', false)).toBe('the farm');
    await vi.waitFor(() => expect(router.currentRoute.value.name).toBe('jobs'), 10_000);
  });

  it('is no assistant for who may not change settings', async () => {
    expect(await shown('viewer', true)).toBe('Sign in');
    expect(page?.text()).toContain('This manager is not set up yet');
  });

  it('asks for a token where somebody wants to sign in, and only if there are tokens', async () => {
    await router.replace('/sign-in');
    expect(await shown('viewer', false)).toBe('Sign in');
    page?.unmount();
    expect(await shown('admin', false)).toBe('the farm');
    await vi.waitFor(() => expect(router.currentRoute.value.name).toBe('home'), 10_000);
  });

  it('says when the manager is away, and can be told to try again', async () => {
    manager.answer('GET /api/v3/session', () => Promise.reject(new TypeError('away')));
    manager.answer('GET /api/v3/configuration', () => Promise.reject(new TypeError('away')));
    const pinia = createPinia();
    setActivePinia(pinia);
    page = mount(App, { global: { plugins: [pinia, router], stubs: { FarmPage: { template: '<h1>the farm</h1>' } } } });
    await vi.waitFor(() => expect(page?.text()).toContain('The configuration could not be read'), 10_000);
    manager.answer('GET /api/v3/configuration', { body: { isFirstRun: false, storageLocation: '/x', shamanEnabled: false } });
    await page.find('button').trigger('click');
    await vi.waitFor(() => expect(page?.text()).toContain('the farm'), 10_000);
  });
});
