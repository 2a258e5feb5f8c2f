import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JobUpdate, WorkerUpdate } from '@/api/types';
import { fakeManager, type FakeManager } from './fakeManager';
import { useJobs } from './jobs';
import { useTags } from './tags';
import { useWorkers } from './workers';

let manager: FakeManager;

beforeEach(() => {
  setActivePinia(createPinia());
  manager = fakeManager();
});
afterEach(() => vi.unstubAllGlobals());

const job = (id: string, status: string, tag?: string): object => ({
  id, name: id, type: 't', priority: 1, created: '2026-01-01T00:00:00Z', updated: '2026-01-01T00:00:00Z', status, activity: '', steps_completed: 0, steps_total: 1, ...(tag ? { worker_tag: tag } : {}),
});
const worker = (id: string): object => ({ id, name: id, status: 'awake', version: '1', can_restart: false });

async function load(): Promise<ReturnType<typeof useTags>> {
  manager.answer('GET /api/v3/worker-mgt/tags', { body: { tags: [{ id: 'b', name: 'tag 10' }, { id: 'a', name: 'tag 9', description: 'graphics' }] } });
  manager.answer('GET /api/v3/worker-mgt/workers', { body: { workers: [worker('w1')] } });
  await useWorkers().reading.read();
  const tags = useTags();
  await tags.reading.read();
  return tags;
}

describe('tags', () => {
  it('are in their natural order, and the table of workers knows their names', async () => {
    const tags = await load();
    expect(tags.list.map(({ name }) => name)).toEqual(['tag 9', 'tag 10']);
    expect(useWorkers().table.get('w1')?.tags).toBe('tag 9, tag 10');
    expect([...tags.members]).toEqual([['a', 1], ['b', 1]]);
  });

  it('count the jobs that still need them, live', async () => {
    const tags = await load();
    const jobs = useJobs();
    manager.answer('GET /api/v3/jobs', { body: { jobs: [job('1', 'queued', 'a'), job('2', 'failed', 'a'), job('3', 'completed', 'a'), job('4', 'canceled', 'b'), job('5', 'active')] } });
    await jobs.reading.read();
    expect([...tags.openJobs]).toEqual([['a', 2]]);
    jobs.applyUpdate({ id: '1', name: '1', updated: '2026-01-02T00:00:00Z', status: 'completed', type: 't', priority: 1, refresh_tasks: false, steps_completed: 1, steps_total: 1 } as JobUpdate);
    jobs.table.flush();
    expect([...tags.openJobs]).toEqual([['a', 1]]);
  });

  it('follow the events: a new one, a renamed one, a deleted one, a worker with others', async () => {
    const tags = await load();
    tags.applyTag({ tag: { id: 'c', name: 'tag 1' } });
    tags.applyTag({ tag: { id: 'a', name: 'zebra' } });
    tags.applyTag({ tag: { id: 'b', name: '' }, was_deleted: true });
    expect(tags.list.map(({ name }) => name)).toEqual(['tag 1', 'zebra']);
    expect(useWorkers().table.get('w1')?.tags).toBe('zebra');
    tags.applyWorker({ id: 'w1', name: 'w1', status: 'awake', version: '1', can_restart: false, updated: '2026-01-01T00:00:00Z', tag_ids: ['c'] } as WorkerUpdate);
    expect(useWorkers().table.get('w1')?.tags).toBe('tag 1');
  });

  it('an edit that the manager refuses changes nothing', async () => {
    const tags = await load();
    manager.answer('PUT /api/v3/worker-mgt/tag/a', { status: 409, body: { code: 409, message: 'there is a tag with this name' } });
    await expect(tags.update('a', 'tag 10', '')).rejects.toThrow('there is a tag with this name');
    expect(tags.list.map(({ name }) => name)).toEqual(['tag 9', 'tag 10']);
  });

  it('an assignment keeps the tags that a worker has got meanwhile', async () => {
    const tags = await load();
    manager.answer('GET /api/v3/worker-mgt/workers/w1', { body: { ...worker('w1'), tags: [{ id: 'x', name: 'from elsewhere' }] } });
    manager.answer('POST /api/v3/worker-mgt/workers/w1/settags', {});
    await tags.assign({ id: 'a', name: 'tag 9', description: '' }, [{ id: 'w1', name: 'w1' }], true);
    expect(manager.bodies.at(-1)).toEqual({ tag_ids: ['x', 'a'] });
  });
});
