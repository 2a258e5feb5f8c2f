import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TaskSummary, TaskUpdate } from '@/api/types';
import { fakeManager, type FakeManager } from './fakeManager';
import { useNotifications } from './notifications';
import { useTasks } from './tasks';

let manager: FakeManager;

beforeEach(() => {
  setActivePinia(createPinia());
  manager = fakeManager();
});
afterEach(() => vi.unstubAllGlobals());

const T = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

function task(id: string, fields: Partial<TaskSummary> = {}): TaskSummary {
  return {
    id,
    name: `render-${id}`,
    index_in_job: 1,
    priority: 50,
    task_type: 'blender',
    updated: T(1),
    status: 'queued',
    steps_completed: 0,
    steps_total: 1,
    worker: { id: '', name: '', address: '' },
    ...fields,
  } as TaskSummary;
}

function update(id: string, fields: Partial<TaskUpdate> = {}): TaskUpdate {
  return {
    id,
    job_id: 'j',
    name: `render-${id}`,
    updated: T(2),
    status: 'active',
    activity: '',
    steps_completed: 0,
    steps_total: 1,
    worker: { uuid: 'w', name: 'node-1' },
    ...fields,
  } as TaskUpdate;
}

async function open(job: string, ...tasks: TaskSummary[]): Promise<ReturnType<typeof useTasks>> {
  manager.answer(`GET /api/v3/jobs/${job}/tasks`, { body: { tasks } });
  const store = useTasks();
  await store.open(job);
  return store;
}

describe('tasks', () => {
  it('a live update brings the worker in the same shape as the list', async () => {
    const store = await open('j', task('a'));
    expect(store.table.get('a')).toMatchObject({ workerId: '', workerName: '' });
    store.applyUpdate(update('a'));
    expect(store.table.get('a')).toMatchObject({ workerId: 'w', workerName: 'node-1', status: 'active' });
    store.applyUpdate(update('a', { updated: T(3), status: 'completed', worker: undefined }));
    expect(store.table.get('a')).toMatchObject({ workerId: 'w', status: 'completed' });
  });

  it('what fails in the job that is looked at is noted, once, and leads to the task', async () => {
    const store = await open('j', task('a', { status: 'active' }), task('b', { status: 'active' }));
    store.applyUpdate(update('a', { status: 'soft-failed', previous_status: 'active' }));
    store.applyUpdate(update('a', { status: 'failed', previous_status: 'soft-failed', updated: T(3) }));
    store.applyUpdate(update('a', { status: 'failed', previous_status: 'failed', updated: T(4) }));
    store.applyUpdate(update('b', { status: 'completed', previous_status: 'active' }));
    const notes = useNotifications().list;
    expect(notes.map(({ level, text }) => `${level}: ${text}`)).toEqual([
      'warning: Task "render-a" failed on node-1; another worker tries.',
      'warning: Task "render-a" failed on node-1.',
    ]);
    expect(notes[0]?.to).toEqual({ name: 'job', params: { jobID: 'j', taskID: 'a' } });
  });

  it('reads a task that it does not know', async () => {
    const store = await open('j', task('a'));
    manager.answer('GET /api/v3/tasks/b', { body: task('b', { status: 'active' }) });
    store.applyUpdate(update('b'));
    await vi.waitFor(() => expect(store.table.get('b')?.status).toBe('active'));
  });

  it('ignores tasks of other jobs and updates that are older', async () => {
    const store = await open('j', task('a', { updated: T(9) }));
    store.applyUpdate(update('a'));
    store.applyUpdate(update('x', { job_id: 'other' }));
    expect(store.table.get('a')?.status).toBe('queued');
    expect(store.table.size).toBe(1);
    expect(manager.asked).toHaveLength(1);
  });

  it('shows nothing of the old job once another is open', async () => {
    const store = await open('j', task('a'), task('b'));
    await open('k', task('c'));
    expect([...store.table.values()].map((row) => row.id)).toEqual(['c']);
  });

  it('an answer for the old job that comes late is ignored', async () => {
    let release = (): void => {};
    manager.answer('GET /api/v3/jobs/slow/tasks', async () => {
      await new Promise<void>((resolve) => (release = resolve));
      return { body: { tasks: [task('late')] } };
    });
    const store = useTasks();
    const slow = store.open('slow');
    await vi.waitFor(() => expect(manager.asked).toHaveLength(1));
    await open('k', task('c'));
    release();
    await slow;
    expect([...store.table.values()].map((row) => row.id)).toEqual(['c']);
  });

  it('acts only on tasks that allow it', async () => {
    const store = await open('j');
    manager.answer('POST /api/v3/tasks/b/setstatus', {});
    const rows = [
      { id: 'a', name: 'a', status: 'queued' as const },
      { id: 'b', name: 'b', status: 'failed' as const },
    ];
    await store.act('requeue', rows, 'failed');
    expect(manager.asked.slice(1)).toEqual(['POST /api/v3/tasks/b/setstatus']);
    expect(useNotifications().toasts.at(-1)?.text).toBe('Requeued task "b".');
  });
});
