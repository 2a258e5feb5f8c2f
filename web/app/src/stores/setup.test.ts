import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nextTick } from 'vue';
import { SKIPPED } from '@/lib/setup';
import { fakeManager, type FakeManager } from './fakeManager';
import { useSession } from './session';
import { useSetup } from './setup';

const STORAGE = 'POST /api/v3/configuration/check/shared-storage';
const BLENDER = '/api/v3/configuration/check/blender';
const SAVE = 'POST /api/v3/configuration/setup-assistant';
const CONFIGURATION = 'GET /api/v3/configuration';
const blender = { input: 'blender', path: '/usr/bin/blender', source: 'path_envvar', is_usable: true, cause: 'Blender 4.5' } as const;

let manager: FakeManager;
beforeEach(() => {
  sessionStorage.clear();
  setActivePinia(createPinia());
  manager = fakeManager();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('whether there is anything to set up', () => {
  it('is told by the manager', async () => {
    manager.answer(CONFIGURATION, { body: { isFirstRun: true, storageLocation: '', shamanEnabled: false } });
    const setup = useSetup();
    expect(setup.wanted).toBeNull();
    await setup.asking.read();
    expect(setup.wanted).toBe(true);
  });

  it('stays open when the manager cannot be asked', async () => {
    manager.answer(CONFIGURATION, () => Promise.reject(new TypeError('no connection')));
    const setup = useSetup();
    await setup.asking.read();
    expect([setup.wanted, setup.asking.error?.unreachable]).toEqual([null, true]);
  });

  it('starts with the storage that a manager has already', async () => {
    manager.answer(CONFIGURATION, { body: { isFirstRun: true, storageLocation: '/mnt/old', shamanEnabled: false } });
    const setup = useSetup();
    await setup.asking.read();
    expect(setup.draft.storage).toBe('/mnt/old');
  });
});

describe('the shared storage', () => {
  it('is settled when the manager can use it', async () => {
    manager.answer(STORAGE, { body: { path: '/mnt/farm', is_usable: true, cause: '' } });
    const setup = useSetup();
    setup.draft.storage = '  /mnt/farm ';
    expect(await setup.checkStorage()).toBe(true);
    expect(manager.bodies).toEqual([{ path: '/mnt/farm' }]);
    expect(setup.draft.usableStorage).toBe('/mnt/farm');
  });

  it('is not when it cannot, and says why', async () => {
    manager.answer(STORAGE, { body: { path: '/x', is_usable: false, cause: '/x does not exist' } });
    const setup = useSetup();
    setup.draft.storage = '/x';
    setup.draft.usableStorage = '/x';
    expect(await setup.checkStorage()).toBe(false);
    expect([setup.draft.usableStorage, setup.storageCheck?.cause]).toEqual(['', '/x does not exist']);
  });

  it('an answer about a path that was changed meanwhile counts for nothing', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    manager.answer(STORAGE, async () => {
      await held;
      return { body: { path: '/a', is_usable: true, cause: '' } };
    });
    const setup = useSetup();
    setup.draft.storage = '/a';
    const check = setup.checkStorage();
    await vi.waitFor(() => expect(manager.asked).toHaveLength(1));
    setup.draft.storage = '/b';
    setup.storageChanged();
    release();
    expect(await check).toBe(false);
    expect([setup.storageCheck, setup.draft.usableStorage, setup.checkingStorage]).toEqual([null, '', false]);
  });

  it('a manager that is away is an error that can be shown', async () => {
    manager.answer(STORAGE, () => Promise.reject(new TypeError('no connection')));
    const setup = useSetup();
    setup.draft.storage = '/a';
    expect(await setup.checkStorage()).toBe(false);
    expect(setup.storageCheck?.cause).toContain('cannot be reached');
  });
});

describe('Blender', () => {
  it('is the first that runs, until another is chosen', async () => {
    const broken = { ...blender, source: 'file_association', is_usable: false } as const;
    manager.answer(`GET ${BLENDER}`, { body: [broken, blender] });
    const setup = useSetup();
    await setup.finding.read();
    expect(setup.draft.blender).toEqual(blender);
    setup.choose(SKIPPED);
    await setup.finding.read();
    expect(setup.draft.blender?.source).toBe('default');
  });

  it('is not chosen by a search that ends after a person began to enter another one', async () => {
    manager.answer(`GET ${BLENDER}`, { body: [blender] });
    const setup = useSetup();
    const search = setup.finding.read();
    setup.choose(null);
    await search;
    expect(setup.draft.blender).toBeNull();
    expect(setup.found).toHaveLength(1);

    // Nor after a reload, with the path of another one in its field.
    setup.draft.ownBlender = '/opt/blender';
    await setup.finding.read();
    expect(setup.draft.blender).toBeNull();
  });

  it('can be one of your own, when it runs', async () => {
    const setup = useSetup();
    manager.answer(`POST ${BLENDER}`, { body: { ...blender, source: 'input_path', is_usable: false, cause: 'not Blender' } });
    setup.draft.ownBlender = '/bin/ls';
    expect(await setup.checkBlender()).toBe(false);
    expect([setup.draft.blender, setup.blenderCheck?.cause]).toEqual([null, 'not Blender']);
    const mine = { ...blender, source: 'input_path', path: '/opt/b/blender', input: '/opt/b' } as const;
    manager.answer(`POST ${BLENDER}`, { body: mine });
    setup.draft.ownBlender = '/opt/b';
    expect(await setup.checkBlender()).toBe(true);
    expect(setup.draft.blender).toEqual(mine);
  });
});

describe('saving', () => {
  async function ready(): Promise<ReturnType<typeof useSetup>> {
    vi.useFakeTimers();
    const setup = useSetup();
    Object.assign(setup.draft, { storage: '/mnt/farm', usableStorage: '/mnt/farm', blender });
    return setup;
  }

  it('waits until the manager is back', async () => {
    const setup = await ready();
    manager.answer(SAVE, { status: 204 });
    manager.answer(CONFIGURATION, () => Promise.reject(new TypeError('restarting')));
    const saved = setup.save();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(setup.phase).toBe('restarting');
    manager.answer(CONFIGURATION, { body: { isFirstRun: false, storageLocation: '/mnt/farm', shamanEnabled: true } });
    await vi.advanceTimersByTimeAsync(1_000);
    await saved;
    expect([setup.phase, setup.error]).toEqual(['done', null]);
    expect(manager.bodies).toEqual([{ storageLocation: '/mnt/farm', blenderExecutable: blender }]);
    expect(setup.draft.storage).toBe('');
    setup.leave();
    expect(setup.wanted).toBe(false);
  });

  const access = { admin_token: 'token-of-admins', artist_token: 'token-of-artists', without_token: 'viewer' } as const;
  const signedIn = { token_required: true, signed_in: true, role: 'admin', token_shown: true, without_token: 'viewer' };
  const withTokens = { access: 'tokens', adminToken: access.admin_token, artistToken: access.artist_token, withoutToken: access.without_token } as const;

  it('sends the tokens with the choices, and signs in', async () => {
    const setup = await ready();
    Object.assign(setup.draft, withTokens);
    manager.answer(SAVE, { status: 204 });
    manager.answer(CONFIGURATION, { body: { isFirstRun: false, storageLocation: '/mnt/farm', shamanEnabled: true } });
    // It is about to start again.
    manager.answer('POST /api/v3/session', () => Promise.reject(new TypeError('restarting')));
    manager.answer('GET /api/v3/session', { body: signedIn });
    const saved = setup.save();
    await vi.advanceTimersByTimeAsync(1_000);
    expect([setup.phase, setup.tokens]).toEqual(['restarting', null]);
    manager.answer('POST /api/v3/session', { status: 204 });
    await vi.advanceTimersByTimeAsync(1_000);
    await saved;
    expect([setup.phase, setup.error]).toEqual(['done', null]);
    expect(manager.bodies[0]).toEqual({ storageLocation: '/mnt/farm', blenderExecutable: blender, access });
    expect(manager.bodies.at(-1)).toEqual({ token: 'token-of-admins' });
    expect([useSession().role, useSession().signedIn]).toEqual(['admin', true]);
    expect(setup.tokens).toEqual({ admin: 'token-of-admins', artist: 'token-of-artists', forSubmitting: true });
    // They are kept nowhere in the browser.
    await nextTick();
    expect(sessionStorage.getItem('flamenco.setup')).not.toContain('token-of');
  });

  it('can be tried again when the answer was lost that told that the tokens are set', async () => {
    const setup = await ready();
    Object.assign(setup.draft, withTokens);
    let stored = false;
    manager.answer(SAVE, () => {
      if (!stored) {
        stored = true;
        return Promise.reject(new TypeError('lost'));
      }
      return Promise.resolve(useSession().signedIn ? { status: 204 } : { status: 401, body: { code: 401, message: 'a token, please' } });
    });
    manager.answer(CONFIGURATION, { body: { isFirstRun: false, storageLocation: '/mnt/farm', shamanEnabled: true } });
    manager.answer('POST /api/v3/session', { status: 204 });
    manager.answer('GET /api/v3/session', { body: signedIn });
    await setup.save();
    expect([setup.phase, setup.error?.unreachable, useSession().state]).toEqual(['editing', true, 'unknown']);
    const saved = setup.save();
    await vi.advanceTimersByTimeAsync(1_000);
    await saved;
    expect([setup.phase, setup.error, useSession().role]).toEqual(['done', null, 'admin']);
  });

  it('sends what was chosen for files and other platforms', async () => {
    manager.answer('GET /api/v3/configuration/state', {
      body: { started_at: '2026-01-01T00:00:00Z', platform: 'linux', settings: [{ key: 'shaman.enabled', value: 'true' }] },
    });
    manager.answer(SAVE, { status: 400, body: { code: 400, message: 'no' } });
    const setup = await ready();
    await setup.looking.read();
    expect([setup.platform, setup.shaman]).toEqual(['linux', true]);
    setup.draft.shaman = false;
    setup.setPath('windows', 'storage', 'F:\\farm ');
    setup.setPath('windows', 'blender', 'blender.exe');
    setup.setPath('linux', 'storage', '/elsewhere');
    await setup.save();
    expect(manager.bodies).toEqual([
      { storageLocation: '/mnt/farm', blenderExecutable: blender, shamanEnabled: false, otherPlatforms: [{ platform: 'windows', storage: 'F:\\farm', blender: 'blender.exe' }] },
    ]);
  });

  it('shows why it was refused, and can be tried again', async () => {
    const setup = await ready();
    manager.answer(SAVE, { status: 400, body: { code: 400, message: 'storageLocation is wrong' } });
    await setup.save();
    expect([setup.phase, setup.error?.message]).toEqual(['editing', 'storageLocation is wrong']);
    expect(setup.draft.storage).toBe('/mnt/farm');
  });

  it('gives up on a manager that does not come back', async () => {
    const setup = await ready();
    manager.answer(SAVE, { status: 204 });
    manager.answer(CONFIGURATION, () => Promise.reject(new TypeError('gone')));
    const saved = setup.save();
    await vi.advanceTimersByTimeAsync(62_000);
    await saved;
    expect([setup.phase, setup.error?.unreachable]).toEqual(['editing', true]);
  });
});

it('what was entered survives a reload', async () => {
  useSetup().draft.storage = '/mnt/farm';
  await nextTick();
  setActivePinia(createPinia());
  expect(useSetup().draft.storage).toBe('/mnt/farm');
});
