// The live log of one task for as long as a component shows it.
import { onScopeDispose, shallowRef, watch, type ShallowRef, type WatchSource } from 'vue';
import type { RequestError } from '@/api/client';
import { LineBuffer } from '@/lib/lineBuffer';
import { useEvent, useSubscription } from '@/live/socket';
import { TaskLogReader } from '@/live/taskLog';

export interface TaskLog {
  readonly lines: LineBuffer;
  /** Address of the whole log file; `undefined` while there is none. */
  readonly url: ShallowRef<string | undefined>;
  /** Bytes at the start of the file that are not shown. */
  readonly skipped: ShallowRef<number>;
  readonly error: ShallowRef<RequestError | null>;
  /** Whether the manager has been asked at least once. */
  readonly asked: ShallowRef<boolean>;
  retry(): void;
}

export function useTaskLog(taskId: WatchSource<string>): TaskLog {
  const lines = new LineBuffer();
  const url: ShallowRef<string | undefined> = shallowRef();
  const skipped = shallowRef(0);
  const error: ShallowRef<RequestError | null> = shallowRef(null);
  const asked = shallowRef(false);
  let reader: TaskLogReader | undefined;
  let current = '';

  function start(id: string): void {
    reader?.stop();
    current = id;
    [url.value, skipped.value, error.value, asked.value] = [undefined, 0, null, false];
    lines.clear();
    reader = new TaskLogReader(id, {
      append: (text) => lines.append(text),
      restart: () => lines.clear(),
      located: (where, bytes) => ([url.value, skipped.value] = [where, bytes]),
      failed: (problem) => (error.value = problem),
    });
  }

  async function catchUp(expectMore: boolean): Promise<void> {
    const mine = reader;
    await mine?.catchUp(expectMore);
    if (mine === reader) asked.value = true;
  }

  watch(taskId, start, { immediate: true });
  useEvent('/tasklog', (update) => {
    if (update.task_id === current) void catchUp(true);
  });
  useSubscription('tasklog', taskId, () => void catchUp(false));
  onScopeDispose(() => reader?.stop());

  return { lines, url, skipped, error, asked, retry: () => void catchUp(false) };
}
