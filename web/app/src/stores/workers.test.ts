import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WorkerSummary, WorkerUpdate } from '@/api/types';
import { WORKER_ACTIONS } from '@/lib/actions';
import { fakeManager, type FakeManager } from './fakeManager';
import { useFarm } from './farm';
import { useNotifications } from './notifications';
import { useWorkers } from './workers';

let manager: FakeManager;

beforeEach(() => {
  setActivePinia(createPinia());
  manager = fakeManager();
});
afterEach(() => vi.unstubAllGlobals());

const T = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

function worker(id: string, fields: Partial<WorkerSummary> = {}): WorkerSummary {
  return { id, name: `node-${id}`, status: 'awake', version: '1.0', can_restart: false, ...fields } as WorkerSummary;
}

function update(id: string, fields: Partial<WorkerUpdate> = {}): WorkerUpdate {
  return { ...worker(id), updated: T(1), ...fields } as WorkerUpdate;
}

async function load(...workers: WorkerSummary[]): Promise<ReturnType<typeof useWorkers>> {
  manager.answer('GET /api/v3/worker-mgt/workers', { body: { workers } });
  const store = useWorkers();
  await store.reading.read();
  return store;
}

describe('workers', () => {
  it('a deleted worker goes, and one that was never known is not added', async () => {
    const store = await load(worker('a'));
    store.applyUpdate(update('a', { deleted_at: T(1) }));
    store.applyUpdate(update('z', { deleted_at: T(1) }));
    expect(store.table.size).toBe(0);
  });

  it('a missing status change means that none is wanted', async () => {
    const store = await load(worker('a', { status_change: { status: 'asleep', is_lazy: true } }));
    expect(store.table.get('a')).toMatchObject({ requested: 'asleep', requestedLazy: true });
    store.applyUpdate(update('a', { status: 'asleep' }));
    expect(store.table.get('a')).toMatchObject({ status: 'asleep', requested: '' });
  });

  it('an event that comes while the list is read wins, and a list read later wins over it', async () => {
    const store = await load(worker('a'));
    manager.answer('GET /api/v3/worker-mgt/workers', async () => {
      store.applyUpdate(update('a', { status: 'asleep' }));
      return { body: { workers: [worker('a')] } };
    });
    await store.reading.read();
    expect(store.table.get('a')?.status).toBe('asleep');
    await load(worker('a', { status: 'offline', last_seen: T(5) }));
    expect(store.table.get('a')).toMatchObject({ status: 'offline', lastSeen: Date.parse(T(5)) });
  });

  it('asks only those that can restart to restart', async () => {
    const store = await load();
    manager.answer('POST /api/v3/worker-mgt/workers/b/setstatus', {});
    const restart = WORKER_ACTIONS.find((action) => action.key === 'restart-lazy')!;
    await store.act(restart, [
      { id: 'a', name: 'a', canRestart: false },
      { id: 'b', name: 'b', canRestart: true },
    ]);
    expect(manager.asked.slice(1)).toEqual(['POST /api/v3/worker-mgt/workers/b/setstatus']);
    expect(manager.bodies).toEqual([{ status: 'restart', is_lazy: true }]);
    expect(useNotifications().toasts.at(-1)?.text).toBe('Asked worker "b" to restart after the current task.');
  });

  it('withdraws a request by asking for the present status', async () => {
    const store = await load();
    manager.answer('POST /api/v3/worker-mgt/workers/a/setstatus', {});
    await store.withdraw([{ id: 'a', name: 'a', status: 'awake' }]);
    expect(manager.bodies).toEqual([{ status: 'awake', is_lazy: false }]);
  });
});

describe('enabling and disabling', () => {
  it('is offered only by a manager that tells who is enabled', async () => {
    expect((await load(worker('a'))).offersEnabling).toBe(false);
    expect((await load(worker('a', { enabled: true }))).offersEnabling).toBe(true);
  });

  it('disables with a reason, shows it at once, and can be undone', async () => {
    const store = await load(worker('a', { enabled: true }));
    manager.answer('POST /api/v3/worker-mgt/workers/a/setenabled', {});
    await store.disable([...store.table.values()], 'now', ' its fan is loud ');
    expect(manager.bodies).toEqual([{ enabled: false, when: 'now', reason: 'its fan is loud' }]);
    expect(store.table.get('a')).toMatchObject({ enabled: false, disabledReason: 'its fan is loud' });
    useNotifications().toasts.at(-1)?.undo?.();
    await vi.waitFor(() => expect(useNotifications().toasts.at(-1)?.text).toBe('Enabled worker "node-a" again.'));
    expect(store.table.get('a')?.enabled).toBe(true);
  });

  it('undoing that it was enabled brings its reason back', async () => {
    const store = await load(worker('a', { enabled: false, disabled_reason: 'its fan is loud' }));
    manager.answer('POST /api/v3/worker-mgt/workers/a/setenabled', {});
    await store.enable([...store.table.values()]);
    useNotifications().toasts.at(-1)?.undo?.();
    await vi.waitFor(() => expect(useNotifications().toasts.at(-1)?.text).toBe('Disabled worker "node-a" again.'));
    expect(manager.bodies).toEqual([{ enabled: true }, { enabled: false, when: 'after-task', reason: 'its fan is loud' }]);
    expect(store.table.get('a')).toMatchObject({ enabled: false, disabledReason: 'its fan is loud' });
  });

  it('says who could not be disabled, and leaves them as they are', async () => {
    const store = await load(worker('a'), worker('b'));
    manager.answer('POST /api/v3/worker-mgt/workers/a/setenabled', {});
    await store.disable([...store.table.values()], 'after-task', '');
    expect(useNotifications().toasts.at(-1)?.text).toBe('Disabled worker "node-a". Refused for 1 worker. "node-b": no such thing.');
    expect(store.table.get('b')?.enabled).toBe(true);
  });
});

describe('removing workers', () => {
  it('says which were removed and which were not, and only those leave the table', async () => {
    const store = await load(worker('a'), worker('b'));
    manager.answer('DELETE /api/v3/worker-mgt/workers/a', {});
    manager.answer('DELETE /api/v3/worker-mgt/workers/b', { status: 503, body: { code: 503, message: 'the database is busy' } });
    await store.remove([...store.table.values()]);
    expect([...store.table.values()].map((row) => row.id)).toEqual(['b']);
    expect(useNotifications().toasts.at(-1)).toMatchObject({
      level: 'error',
      text: 'Removed worker "node-a". Refused for 1 worker. "node-b": the database is busy.',
    });
  });

  it('a list that was read before the removal does not bring a worker back', async () => {
    const store = await load(worker('a'));
    manager.answer('DELETE /api/v3/worker-mgt/workers/a', {});
    manager.answer('GET /api/v3/worker-mgt/workers', async () => {
      await store.remove([{ id: 'a', name: 'a' }]);
      return { body: { workers: [worker('a')] } };
    });
    await store.reading.read();
    expect(store.table.size).toBe(0);
  });
});

describe('what is gathered of a worker', () => {
  it('outlasts lists and events, and can be searched for', async () => {
    const store = await load(worker('a'));
    store.gather('a', { tags: 'gpu', task: { jobId: 'j', jobName: 'Forest', taskId: 't', taskName: 'render-1-4', isRender: true, done: 0, total: 1 } });
    store.gather('z', { tags: 'gpu' });
    store.applyUpdate(update('a', { status: 'asleep' }));
    await store.reading.read();
    expect(store.table.get('a')).toMatchObject({ tags: 'gpu', task: { taskId: 't' } });
    expect(store.table.get('a')?.search).toContain('gpu forest render-1-4');
    expect(store.table.size).toBe(1);
  });
});

describe('farm', () => {
  const version = { name: 'Studio', version: '1.0', shortversion: '1.0', git: 'abc' };

  it('explains its status with the workers that are there', async () => {
    await load(worker('a', { status: 'offline' }));
    manager.answer('GET /api/v3/version', { body: version });
    manager.answer('GET /api/v3/status', { body: { status: 'inoperative' } });
    const farm = useFarm();
    await farm.reading.read();
    expect(farm.name).toBe('Studio');
    expect(farm.reason).toBe('No worker can be reached (1 offline).');
    farm.applyStatus({ status: 'idle' });
    expect(farm.status).toBe('idle');
  });

  it('notices when another version of the manager answers', async () => {
    manager.answer('GET /api/v3/version', { body: version });
    manager.answer('GET /api/v3/status', { body: { status: 'idle' } });
    const farm = useFarm();
    await farm.reading.read();
    expect(farm.managerChanged).toBe(false);
    manager.answer('GET /api/v3/version', { body: { ...version, version: '1.1' } });
    await farm.reading.read();
    expect(farm.managerChanged).toBe(true);
    expect(farm.version?.version).toBe('1.0');
  });
});
