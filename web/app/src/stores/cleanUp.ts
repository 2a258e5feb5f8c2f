// Old jobs that are to be deleted together: what that would do, and doing it.
import { shallowRef, watch, type ShallowRef } from 'vue';
import { api, takeBody, toRequestError, type RequestError } from '@/api/client';
import type { JobMassDeletionPreview, JobStatus } from '@/api/types';
import { counted } from '@/lib/bulk';
import { useNotifications } from './notifications';
import { useReading } from './reading';

export interface Wanted {
  readonly moment: Date;
  readonly statuses: readonly JobStatus[];
}

export interface CleanUp {
  /** What would happen; null while it is not known for what is wanted now. */
  readonly preview: ShallowRef<JobMassDeletionPreview | null>;
  readonly error: ShallowRef<RequestError | null>;
  /** Reads the names of all jobs that would go, as far as the manager tells them. */
  nameAll(): Promise<void>;
  /** Deletes what the preview says. False when it is something else by now, which is then told. */
  remove(): Promise<boolean>;
}

const FIRST = 20;
const MOST = 10_000;
const CONFLICT = 409;

/** Follows what is wanted; `undefined` is nothing that could be asked for. */
export function useCleanUp(wanted: () => Wanted | undefined): CleanUp {
  const notifications = useNotifications();
  const preview = shallowRef<JobMassDeletionPreview | null>(null);
  const error = shallowRef<RequestError | null>(null);
  let limit = FIRST;

  const reading = useReading(async (isWanted) => {
    const now = wanted();
    if (!now) return;
    const query = { last_updated_max: now.moment.toISOString(), status: [...now.statuses], limit };
    const found = await takeBody(api.GET('/api/v3/jobs/mass-delete', { params: { query } }));
    if (isWanted()) preview.value = found;
  });
  async function read(): Promise<void> {
    await reading.read();
    error.value = reading.error.value;
  }
  watch(wanted, () => {
    reading.reset();
    preview.value = null;
    error.value = null;
    limit = FIRST;
    void read();
  }, { immediate: true });

  async function nameAll(): Promise<void> {
    limit = MOST;
    await read();
  }

  async function remove(): Promise<boolean> {
    const [now, told] = [wanted(), preview.value];
    if (!now || !told) return false;
    const body = { last_updated_max: told.moment, statuses: [...now.statuses], expected_jobs: told.total };
    try {
      // Given without `expected_jobs` the answer would be empty.
      const { marked } = (await takeBody(api.DELETE('/api/v3/jobs/mass-delete', { body }))) as { marked: number };
      notifications.show({ level: 'success', text: `Marked ${counted(marked, 'job')} for deletion. ${marked === 1 ? 'It disappears' : 'They disappear'} as the manager erases ${marked === 1 ? 'it' : 'them'}.` });
      return true;
    } catch (cause) {
      const refused = toRequestError(cause);
      if (refused.status === CONFLICT) await read();
      error.value = refused;
      return false;
    }
  }

  return { preview, error, nameAll, remove };
}
