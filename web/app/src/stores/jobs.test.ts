import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Job, JobUpdate } from '@/api/types';
import { fakeManager, type FakeManager } from './fakeManager';
import { useJobs, type JobRow } from './jobs';
import { useNotifications } from './notifications';

let manager: FakeManager;

beforeEach(() => {
  setActivePinia(createPinia());
  manager = fakeManager();
});
afterEach(() => vi.unstubAllGlobals());

const T = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

function job(id: string, fields: Partial<Job> = {}): Job {
  return {
    id,
    name: `job ${id}`,
    type: 'echo-sleep-test',
    priority: 50,
    submitter_platform: 'linux',
    created: T(0),
    updated: T(1),
    status: 'queued',
    activity: '',
    steps_completed: 0,
    steps_total: 4,
    ...fields,
  } as Job;
}

function update(id: string, fields: Partial<JobUpdate> = {}): JobUpdate {
  return {
    id,
    name: `job ${id}`,
    updated: T(2),
    status: 'active',
    type: 'echo-sleep-test',
    priority: 50,
    refresh_tasks: false,
    steps_completed: 1,
    steps_total: 4,
    ...fields,
  } as JobUpdate;
}

function rows(...jobs: Job[]): Pick<JobRow, 'id' | 'name' | 'status'>[] {
  return jobs.map(({ id, name, status }) => ({ id, name, status }));
}

async function load(...jobs: Job[]): Promise<ReturnType<typeof useJobs>> {
  manager.answer('GET /api/v3/jobs', { body: { jobs } });
  const store = useJobs();
  await store.reading.read();
  return store;
}

describe('jobs', () => {
  it('an update changes a known job and adds an unknown one', async () => {
    const store = await load(job('a'));
    store.applyUpdate(update('a', { steps_completed: 3 }));
    store.applyUpdate(update('b'));
    expect(store.table.get('a')).toMatchObject({ status: 'active', stepsCompleted: 3, rev: 1 });
    expect(store.table.get('b')).toMatchObject({ name: 'job b', status: 'active' });
    expect(manager.asked).toEqual(['GET /api/v3/jobs']);
  });

  it('drops an update that is older than what is shown', async () => {
    const store = await load(job('a', { updated: T(9), status: 'completed' }));
    store.applyUpdate(update('a'));
    expect(store.table.get('a')?.status).toBe('completed');
  });

  it('removes a deleted job and ignores an unknown deleted one', async () => {
    const store = await load(job('a'));
    store.applyUpdate(update('a', { was_deleted: true }));
    store.applyUpdate(update('z', { was_deleted: true }));
    expect(store.table.size).toBe(0);
  });

  it('events that come while the list is read win over the list', async () => {
    const store = await load(job('old'), job('gone'));
    manager.answer('GET /api/v3/jobs', async () => {
      store.applyUpdate(update('old', { updated: T(5), status: 'completed' }));
      store.applyUpdate(update('gone', { was_deleted: true }));
      store.applyUpdate(update('new'));
      return { body: { jobs: [job('old'), job('gone')] } };
    });
    await store.reading.read();
    expect([...store.table.values()].map((row) => `${row.id} ${row.status}`).sort()).toEqual(['new active', 'old completed']);
  });

  it('a job that is no longer in the list goes', async () => {
    const store = await load(job('a'), job('b'));
    manager.answer('GET /api/v3/jobs', { body: { jobs: [job('b')] } });
    await store.reading.read();
    expect([...store.table.values()].map((row) => row.id)).toEqual(['b']);
  });

  it('says why the list could not be read', async () => {
    manager.answer('GET /api/v3/jobs', { status: 500, body: { code: 500, message: 'database is full' } });
    const store = useJobs();
    await store.reading.read();
    expect(store.reading.error?.message).toBe('database is full');
    expect(store.reading.ready).toBe(false);
  });

  it('asks only jobs that allow the action, and reports refusals by name', async () => {
    const jobs = [job('a', { status: 'active' }), job('b', { status: 'queued' }), job('c', { status: 'completed' })];
    const store = await load(...jobs);
    manager.answer('POST /api/v3/jobs/a/setstatus', {});
    manager.answer('POST /api/v3/jobs/b/setstatus', { status: 422, body: { code: 422, message: 'not now' } });
    await store.act('cancel', rows(...jobs));
    expect(manager.asked.filter((line) => line.startsWith('POST'))).toEqual([
      'POST /api/v3/jobs/a/setstatus',
      'POST /api/v3/jobs/b/setstatus',
    ]);
    expect(manager.bodies[0]).toEqual({ status: 'cancel-requested', reason: 'requested from web interface' });
    const notice = useNotifications().toasts.at(-1);
    expect(notice).toMatchObject({ level: 'error', text: 'Canceled job "job a". Refused for 1 job. "job b": not now.' });
  });

  it('undo puts back what was canceled', async () => {
    const store = await load(job('a', { status: 'active' }));
    manager.answer('POST /api/v3/jobs/a/setstatus', {});
    await store.act('cancel', rows(job('a', { status: 'active' })));
    useNotifications().toasts.at(-1)?.undo?.();
    await vi.waitFor(() => expect(manager.bodies).toHaveLength(2));
    expect(manager.bodies[1]).toMatchObject({ status: 'requeueing' });
  });

  it('deletes only what may be deleted, and says who refused', async () => {
    const jobs = [job('a', { status: 'completed' }), job('b', { status: 'active' }), job('c', { status: 'failed' })];
    const store = await load(...jobs);
    manager.answer('DELETE /api/v3/jobs/a', {});
    manager.answer('DELETE /api/v3/jobs/c', { status: 503, body: { code: 503, message: 'busy' } });
    await store.remove(rows(...jobs));
    expect(manager.asked.filter((line) => line.startsWith('DELETE'))).toEqual(['DELETE /api/v3/jobs/a', 'DELETE /api/v3/jobs/c']);
    expect(store.table.get('a')?.deleteRequested).toBe(true);
    expect(store.table.get('c')?.deleteRequested).toBe(false);
    expect(useNotifications().toasts.at(-1)?.text).toBe('Deleting job "job a". Refused for 1 job. "job c": busy.');
  });

  it('says what else a deletion takes along, and when that is not known', async () => {
    const store = await load(job('a'), job('b'));
    manager.answer('GET /api/v3/jobs/a/what-would-delete-do', { body: { shaman_checkout: true } });
    expect(await store.describeDeletion(rows(job('a')))).toContain('So is a Shaman checkout.');
    expect(await store.describeDeletion(rows(job('a'), job('b')))).toContain('could not be found out: no such thing');
  });

  it('sets priority and tag of many, and a job keeps being found by its submitter', async () => {
    const store = await load(job('a', { metadata: { 'user.name': 'Mira' } }));
    manager.answer('POST /api/v3/jobs/a/setpriority', {});
    manager.answer('POST /api/v3/jobs/a/settag', {});
    await store.setPriority(rows(job('a')), 70);
    await store.setTag(rows(job('a')), { id: 't', name: 'gpu' });
    await store.setTag(rows(job('a')), null);
    expect(manager.bodies).toEqual([{ priority: 70 }, { id: 't' }, {}]);
    store.applyUpdate(update('a'));
    expect(store.table.get('a')?.search).toContain('mira');
  });

  it('tells when a job ends, once', async () => {
    const store = await load(job('a'));
    store.applyUpdate(update('a', { status: 'completed', previous_status: 'active' }));
    store.applyUpdate(update('a', { status: 'completed', updated: T(3) }));
    expect(useNotifications().toasts.map((toast) => toast.text)).toEqual(['Job "job a" is complete.']);
  });
});

describe('what no event tells', () => {
  const frames = { done: 3, total: 10, failures: 1, mean_ms: 50, total_ms: 150, thumbnail: { small: '/s.jpg' } };

  it('survives the events of the job', async () => {
    manager.answer('GET /api/v3/jobs', { body: { jobs: [job('a', { frames, metadata: { shot: 'sh10', 'user.name': 'anna' } })] } });
    const store = useJobs();
    await store.reading.read();
    store.applyUpdate({ id: 'a', name: 'job a', updated: T(9), status: 'active', type: 't', priority: 1, refresh_tasks: false, steps_completed: 1, steps_total: 4 });
    expect(store.table.get('a')).toMatchObject({ status: 'active', framesDone: 3, framesTotal: 10, meanMs: 50, thumb: '/s.jpg', shot: 'sh10', submitter: 'anna' });
  });

  it('is read again for the jobs that run, and one by one for those that have just ended', async () => {
    manager.answer('GET /api/v3/jobs', { body: { jobs: [job('a', { status: 'active' }), job('b', { status: 'completed' }), job('c')] } });
    const store = useJobs();
    await store.reading.read();
    manager.answer('GET /api/v3/jobs', { body: { jobs: [job('a', { status: 'active', frames })] } });
    manager.answer('GET /api/v3/jobs/b', { body: job('b', { status: 'completed', frames: { ...frames, done: 10 } }) });
    await store.readProgress(['a', 'b', 'gone']);
    expect(manager.asked).toEqual(['GET /api/v3/jobs', 'GET /api/v3/jobs', 'GET /api/v3/jobs/b', 'GET /api/v3/jobs/gone']);
    expect([...store.table.values()].map((row) => row.framesDone)).toEqual([3, 10, -1]);
  });
});

describe('the first list', () => {
  const LIST = 'GET /api/v3/jobs';
  const listed = (manager: FakeManager): number => manager.asked.filter((line) => line === LIST).length;
  const many = Array.from({ length: 1200 }, (_, place) => job(String(place)));

  it('is asked for before events come, and what changed until they do is read after it', async () => {
    manager.answer(LIST, { body: { jobs: many } });
    const store = useJobs();
    store.readEarly();
    await store.reading.read();
    const before = listed(manager);
    const since: string[] = [];
    vi.stubGlobal('fetch', async (request: Request) => {
      since.push(new URL(request.url).searchParams.get('updated_since') ?? '');
      return new Response(JSON.stringify({ jobs: [job('7', { updated: T(3), status: 'failed' }), job('new', { updated: T(3) })] }), { headers: { 'content-type': 'application/json' } });
    });
    await store.follow();
    expect(before).toBeGreaterThan(0);
    // The newest change in the list was at second 1; a little before it, because changes may come to be stored late.
    expect(since).toEqual([new Date(Date.UTC(2025, 11, 31, 23, 59, 56)).toISOString()]);
    expect(store.table.get('7')?.status).toBe('failed');
    expect(store.table.size).toBe(1201);
  });

  it('loses what was deleted before events came, however long it is, and keeps what came since', async () => {
    vi.useFakeTimers();
    try {
      manager.answer(LIST, { body: { jobs: many } });
      const store = useJobs();
      store.readEarly();
      await store.reading.read();
      manager.answer(LIST, { body: { jobs: [] } });
      await store.follow();
      const quick = listed(manager);
      store.applyUpdate(update('7', { status: 'completed', updated: T(9) }));
      manager.answer(LIST, { body: { jobs: many.slice(1) } });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(listed(manager)).toBe(quick + 1);
      expect(store.table.get('0')).toBeUndefined();
      expect(store.table.get('7')?.status).toBe('completed');
      expect(store.table.size).toBe(1199);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is not read twice for that when the connection was lost in between', async () => {
    vi.useFakeTimers();
    try {
      manager.answer(LIST, { body: { jobs: many } });
      const store = useJobs();
      store.readEarly();
      await store.follow();
      await store.follow();
      const before = listed(manager);
      await vi.advanceTimersByTimeAsync(10_000);
      expect(listed(manager)).toBe(before);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is read again as a whole when it is short: something may have been deleted meanwhile', async () => {
    manager.answer(LIST, { body: { jobs: [job('a'), job('b')] } });
    const store = useJobs();
    store.readEarly();
    await store.reading.read();
    manager.answer(LIST, { body: { jobs: [job('b')] } });
    await store.follow();
    expect([...store.table.values()].map((row) => row.id)).toEqual(['b']);
  });

  it('is read again as a whole each time the connection comes back', async () => {
    manager.answer(LIST, { body: { jobs: many } });
    const store = useJobs();
    store.readEarly();
    await store.follow();
    manager.answer(LIST, { body: { jobs: many.slice(1) } });
    await store.follow();
    expect(store.table.get('0')).toBeUndefined();
  });

  it('is read again when it could not be had at first', async () => {
    manager.answer(LIST, { status: 500 });
    const store = useJobs();
    store.readEarly();
    await store.reading.read();
    expect(store.reading.error).not.toBeNull();
    manager.answer(LIST, { body: { jobs: [job('a')] } });
    await store.follow();
    expect(store.reading.error).toBeNull();
    expect(store.table.size).toBe(1);
  });
});
