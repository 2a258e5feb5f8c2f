import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Tree } from '@/lib/settings';
import { fakeManager, type FakeManager } from './fakeManager';
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
