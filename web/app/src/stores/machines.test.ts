import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WorkerMachine, WorkerSummary } from '@/api/types';
import { fakeManager, type FakeManager } from './fakeManager';
import { useMachines } from './machines';
import { useTags } from './tags';
import { useWorkers } from './workers';

let manager: FakeManager;

beforeEach(() => {
  setActivePinia(createPinia());
  manager = fakeManager();
});
afterEach(() => vi.unstubAllGlobals());

function report(worker: string, cpu: number): WorkerMachine {
  return {
    worker,
    received_at: new Date().toISOString(),
    clock_offset_ms: 0,
    load: { cpu_percent: cpu, memory_used: 1, memory_total: 4 },
  };
}

async function load(...ids: string[]): Promise<ReturnType<typeof useWorkers>> {
  const workers = ids.map((id) => ({ id, name: id, status: 'awake', version: '1', can_restart: false }) as WorkerSummary);
  manager.answer('GET /api/v3/worker-mgt/workers', { body: { workers } });
  const store = useWorkers();
  await store.reading.read();
  return store;
}

describe('machines', () => {
  it('a worker that never reports has no reading, and no zeros', async () => {
    const workers = await load('a', 'b');
    useMachines().applyUpdate({ workers: [report('a', 30)] });
    expect(workers.table.get('a')?.machine).toMatchObject({ cpu: 30, memory: 25 });
    expect(workers.table.get('b')?.machine).toBeNull();
  });

  it('a report that comes before its worker is not lost', async () => {
    const machines = useMachines();
    machines.applyUpdate({ workers: [report('a', 30)] });
    const workers = await load('a');
    machines.retryEarly();
    expect(workers.table.get('a')?.machine?.cpu).toBe(30);
  });

  it('draws the minutes before the page was there', async () => {
    const workers = await load('a');
    const samples = [10, 20, 30].map((cpu) => ({ cpu_percent: cpu, memory_used: 1, memory_total: 4 }));
    manager.answer('GET /api/v3/worker-mgt/workers/a/machine', { body: { samples } });
    const machines = useMachines();
    machines.applyUpdate({ workers: [report('a', 30)] });
    await machines.readPast();
    expect(workers.table.get('a')?.machine?.cpuTrail).toEqual([10, 20, 30]);
    await machines.readPast();
    expect(manager.asked.filter((line) => line.endsWith('/machine')).length).toBe(1);
  });

  it('the list of reports outlasts a list of workers', async () => {
    const workers = await load('a');
    manager.answer('GET /api/v3/worker-mgt/machines', { body: { workers: [report('a', 55)] } });
    await useMachines().reading.read();
    await workers.reading.read();
    expect(workers.table.get('a')?.machine?.cpu).toBe(55);
  });
});

describe('tags', () => {
  const gpu = { id: 'g', name: 'gpu', description: '' };
  const big = { id: 'b', name: 'Big', description: 'memory' };

  async function loadTags(): Promise<ReturnType<typeof useTags>> {
    manager.answer('GET /api/v3/worker-mgt/tags', { body: { tags: [gpu, big] } });
    const tags = useTags();
    await tags.reading.read();
    return tags;
  }

  it('are in natural order, with the workers that have them', async () => {
    const workers = await load('a');
    const tags = await loadTags();
    expect(tags.list.map((tag) => tag.name)).toEqual(['Big', 'gpu']);
    expect(tags.members.get('g')).toBe(1);
    expect(workers.table.get('a')?.tags).toBe('Big, gpu');
  });

  it('an event renames, adds and removes', async () => {
    const workers = await load('a');
    const tags = await loadTags();
    tags.applyTag({ tag: { ...gpu, name: 'fast gpu' } });
    expect(workers.table.get('a')?.tags).toBe('Big, fast gpu');
    tags.applyTag({ tag: { id: 'b', name: '' }, was_deleted: true });
    expect(workers.table.get('a')?.tags).toBe('fast gpu');
    tags.applyWorker({ id: 'a', name: 'a', updated: '', status: 'awake', version: '1', can_restart: false, tag_ids: [] });
    expect(workers.table.get('a')?.tags).toBe('');
  });

  it('a tag is added to what the worker has by then', async () => {
    await load('a');
    const tags = await loadTags();
    manager.answer('GET /api/v3/worker-mgt/workers/a', { body: { id: 'a', name: 'a', tags: [{ id: 'x', name: 'of somebody else' }] } });
    manager.answer('POST /api/v3/worker-mgt/workers/a/settags', {});
    await tags.assign(gpu, [{ id: 'a', name: 'a' }], true);
    expect(manager.bodies).toEqual([{ tag_ids: ['x', 'g'] }]);
    expect(tags.ofWorker.get('a')).toEqual(['x', 'g']);
  });

  it('a name that is taken is an error, and the list stays as it is', async () => {
    await load();
    const tags = await loadTags();
    manager.answer('POST /api/v3/worker-mgt/tags', { status: 409, body: { code: 409, message: 'there is a tag "gpu" already' } });
    await expect(tags.create('gpu', '')).rejects.toThrow('there is a tag "gpu" already');
    expect(tags.list.length).toBe(2);
  });
});
