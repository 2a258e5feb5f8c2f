import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { api, take } from '@/api/client';
import type { Tree } from '@/lib/settings';
import { fakeManager, type FakeManager } from './fakeManager';
import { useSession } from './session';
import { useSettings } from './settings';

const FILE = '/api/v3/configuration/file';
const STATE = '/api/v3/configuration/state';
const inForce: Tree = {
  manager_name: 'Farm',
  listen: ':8080',
  database: 'a.sqlite',
  database_check_period: '1h',
  local_manager_storage_path: 's',
  shared_storage_path: '/farm',
  thumbnail_storage_mb: 20000,
  task_timeout: '10m0s',
  worker_timeout: '2m0s',
  worker_disk_limit: 0,
  blocklist_threshold: 3,
  task_fail_after_softfail_count: 3,
  script_time_limit: '5s',
  audit_max_age: '8760h0m0s',
  variables: {},
  of_tomorrow: { deep: [1] },
};
let manager: FakeManager;

beforeEach(() => {
  setActivePinia(createPinia());
  manager = fakeManager();
  manager.answer(`GET ${STATE}`, { body: { started_at: '2026-01-01T00:00:00Z', platform: 'linux', settings: [] } });
});
afterEach(() => vi.unstubAllGlobals());

async function load(): Promise<ReturnType<typeof useSettings>> {
  manager.answer(`GET ${FILE}`, { body: inForce });
  const settings = useSettings();
  await settings.reading.read();
  return settings;
}

describe('settings', () => {
  it('sends everything back, with keys that this page does not know', async () => {
    const settings = await load();
    manager.answer(`PUT ${FILE}`, {});
    settings.set('manager_name', 'Second floor');
    await settings.save();
    expect(manager.bodies).toEqual([{ ...inForce, manager_name: 'Second floor' }]);
  });

  it('stays signed in when the admin token is changed, and asks who may do what when other tokens are', async () => {
    const session = { token_required: true, signed_in: true, role: 'admin', token_shown: true, without_token: 'none', name: 'Lighting' };
    manager.answer('GET /api/v3/session', { body: session });
    await useSession().check();
    const settings = await load();
    manager.answer(`PUT ${FILE}`, {});
    manager.answer('POST /api/v3/session', { status: 204 });
    const asked = (): string[] => manager.asked.filter((line) => !line.endsWith('/state'));
    settings.set('access.admin_token', 'a token that is new');
    await settings.save();
    expect(settings.failures).toEqual([]);
    expect(manager.bodies.at(-1)).toEqual({ token: 'a token that is new', name: 'Lighting' });
    expect(asked().slice(-4)).toEqual([`PUT ${FILE}`, 'POST /api/v3/session', 'GET /api/v3/session', `GET ${FILE}`]);

    settings.set('access.without_token', 'viewer');
    await settings.save();
    expect(asked().slice(-3)).toEqual([`PUT ${FILE}`, 'GET /api/v3/session', `GET ${FILE}`]);
    settings.set('access.admin_token', '');
    await settings.save();
    expect(asked().slice(-3)).toEqual([`PUT ${FILE}`, 'GET /api/v3/session', `GET ${FILE}`]);
  });

  it('is not locked out by what is refused between a new admin token and signing in with it', async () => {
    const locked = { token_required: true, signed_in: false, role: 'none', token_shown: false, without_token: 'none' };
    manager.answer('GET /api/v3/session', { body: { ...locked, signed_in: true, role: 'admin', token_shown: true } });
    await useSession().check();
    const settings = await load();
    manager.answer('GET /api/v3/jobs', { status: 401, body: { code: 401, message: 'token?' } });
    const states: string[] = [];
    manager.answer(`PUT ${FILE}`, async () => {
      await take(api.GET('/api/v3/jobs')).catch(() => {});
      states.push(useSession().state);
      return {};
    });
    manager.answer('POST /api/v3/session', { status: 401, body: { code: 401, message: 'this is not a token of this manager' } });
    settings.set('access.admin_token', 'a token that is new');
    await settings.save();
    expect([states, settings.failures, settings.dirty]).toEqual([['open'], ['this is not a token of this manager'], true]);
    await take(api.GET('/api/v3/jobs')).catch(() => {});
    expect(useSession().state).toBe('locked');
  });

  it('sends nothing when nothing was changed', async () => {
    const settings = await load();
    settings.set('manager_name', 'x');
    settings.set('manager_name', 'Farm');
    expect(settings.dirty).toBe(false);
    await settings.save();
    expect(manager.asked).toEqual([`GET ${FILE}`, `GET ${STATE}`]);
  });

  it('says what waits for a restart, as the manager knows it', async () => {
    const settings = await load();
    expect(settings.waiting).toEqual([]);
    manager.answer(`PUT ${FILE}`, {});
    const setting = { value: ':8080', default: ':8080', source: 'file', at_restart: true };
    const settingsNow = [{ ...setting, key: 'listen', waiting: true }, { ...setting, key: 'database', waiting: false }];
    manager.answer(`GET ${STATE}`, { body: { started_at: '2026-01-01T00:00:00Z', platform: 'linux', settings: settingsNow } });
    settings.set('listen', ':9090');
    await settings.save();
    expect(settings.waiting).toEqual(['Address and port']);
    expect(settings.states.get('listen')?.value).toBe(':8080');
  });

  it('keeps what somebody else has changed meanwhile', async () => {
    const settings = await load();
    manager.answer(`GET ${FILE}`, { body: { ...inForce, task_timeout: '2h' } });
    manager.answer(`PUT ${FILE}`, {});
    settings.set('manager_name', 'Mine');
    await settings.save();
    expect(manager.bodies).toEqual([{ ...inForce, manager_name: 'Mine', task_timeout: '2h' }]);
    expect(settings.conflicts).toEqual([]);
  });

  it('asks before it overwrites what somebody else has changed', async () => {
    const settings = await load();
    manager.answer(`GET ${FILE}`, { body: { ...inForce, manager_name: 'Theirs' } });
    manager.answer(`PUT ${FILE}`, {});
    settings.set('manager_name', 'Mine');
    await settings.save();
    expect(settings.conflicts).toEqual(['Name']);
    expect(manager.bodies).toEqual([]);
    await settings.save();
    expect(manager.bodies).toEqual([{ ...inForce, manager_name: 'Mine' }]);
  });

  it('shows a refusal at its field until that is changed, and loses no edit', async () => {
    const settings = await load();
    const message = 'x.yaml cannot be used:\n  shared_storage_path: "a" is no folder\n  something else';
    manager.answer(`PUT ${FILE}`, { status: 400, body: { code: 400, message } });
    settings.set('shared_storage_path', 'a');
    await settings.save();
    expect(settings.errors.get('shared_storage_path')).toBe('"a" is no folder');
    expect(settings.failures).toEqual(['something else']);
    expect(settings.draft.shared_storage_path).toBe('a');
    settings.set('shared_storage_path', 'b');
    expect(settings.errors.has('shared_storage_path')).toBe(false);
  });

  it('an unreachable manager is told, and the edits stay', async () => {
    const settings = await load();
    settings.set('manager_name', 'Mine');
    manager.answer(`GET ${FILE}`, () => Promise.reject(new TypeError('failed to fetch')));
    await settings.save();
    expect(settings.failures).toEqual(['The manager cannot be reached.']);
    expect(settings.dirty).toBe(true);
    settings.undo();
    expect(settings.dirty).toBe(false);
  });

  it('reading again takes over what is new below what is being edited', async () => {
    const settings = await load();
    settings.set('manager_name', 'Mine');
    manager.answer(`GET ${FILE}`, { body: { ...inForce, listen: ':1' } });
    await settings.reading.read();
    expect(settings.draft).toMatchObject({ manager_name: 'Mine', listen: ':1' });
    expect(settings.changed).toEqual(['manager_name']);
  });
});
