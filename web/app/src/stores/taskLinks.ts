// The tasks around a task: what it waits for, what waits for it, and why it does not start. Kept up to date.
import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue';
import { api, takeBody, type RequestError } from '@/api/client';
import type { LinkedTasks, TaskStatus, WaitReason } from '@/api/types';
import { reconnections } from '@/live/feed';
import { useReading } from './reading';

export type Side = 'waits_for' | 'needed_by';

export interface TaskLinks {
  readonly reasons: ShallowRef<readonly WaitReason[]>;
  /** Null until it was read. */
  readonly waitsFor: ShallowRef<LinkedTasks | null>;
  readonly neededBy: ShallowRef<LinkedTasks | null>;
  readonly error: ShallowRef<RequestError | null>;
  /** Lists only tasks in a status; all with an empty one. */
  only(side: Side, status: TaskStatus | ''): void;
  /** Reads the next page of a list. */
  more(side: Side): Promise<void>;
  /** Something has changed: reads again, but not all the time. */
  touch(): void;
}

const PAGE = 50;
const MOST = 1000;
/** Least time between two readings, in milliseconds. */
const PACE = 2000;

/** Follows a task; `stale` changes when it does. */
export function useTaskLinks(taskId: () => string, stale: () => unknown): TaskLinks {
  const reasons = shallowRef<readonly WaitReason[]>([]);
  const lists = { waits_for: shallowRef<LinkedTasks | null>(null), needed_by: shallowRef<LinkedTasks | null>(null) };
  const status: Record<Side, TaskStatus | ''> = { waits_for: '', needed_by: '' };

  function ask(side: Side | undefined, limit: number, after = 0) {
    const only = side ? status[side] : '';
    const query = { limit, ...(only === '' ? {} : { status: [only] }), ...(side && after > 0 ? { [`${side}_after`]: after } : {}) };
    return takeBody(api.GET('/api/v3/tasks/{task_id}/dependencies', { params: { path: { task_id: taskId() }, query } }));
  }
  /** As much of a list as is shown already, so that it does not shrink under the eyes of who reads it. */
  const shown = (side: Side): number => Math.min(MOST, Math.max(PAGE, lists[side].value?.tasks.length ?? 0));

  const reading = useReading(async (wanted) => {
    if (taskId() === '') return;
    const both = status.waits_for === status.needed_by;
    const first = await ask('waits_for', both ? Math.max(shown('waits_for'), shown('needed_by')) : shown('waits_for'));
    const second = both ? first : await ask('needed_by', shown('needed_by'));
    if (!wanted()) return;
    [reasons.value, lists.waits_for.value, lists.needed_by.value] = [first.reasons, first.waits_for, second.needed_by];
  });

  function reset(): void {
    reading.reset();
    [reasons.value, lists.waits_for.value, lists.needed_by.value] = [[], null, null];
    [status.waits_for, status.needed_by] = ['', ''];
    void reading.read();
  }
  watch(taskId, reset, { immediate: true });
  watch([stale, reconnections], () => void reading.read());

  let timer: ReturnType<typeof setTimeout> | undefined;
  function touch(): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      void reading.read();
    }, PACE);
  }
  onScopeDispose(() => clearTimeout(timer));

  function only(side: Side, wanted: TaskStatus | ''): void {
    status[side] = wanted;
    void reading.read();
  }

  async function more(side: Side): Promise<void> {
    const [list, task] = [lists[side].value, taskId()];
    if (list?.next_after === undefined) return;
    const next = (await ask(side, PAGE * 4, list.next_after))[side];
    // It may have been read again meanwhile, as far as it was shown.
    const now = lists[side].value;
    if (task !== taskId() || now?.next_after !== list.next_after) return;
    lists[side].value = { ...next, tasks: [...now.tasks, ...next.tasks] };
  }

  return { reasons, waitsFor: lists.waits_for, neededBy: lists.needed_by, error: reading.error, only, more, touch };
}
