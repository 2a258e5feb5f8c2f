// The end of a worker's own log, live for as long as the calling scope lives.
import { shallowRef, watch, type ShallowRef } from 'vue';
import { api, takeBody, type RequestError } from '@/api/client';
import { tailOf, withUpdate, type LogTail } from '@/lib/workerLog';
import { useEvent, useSubscription } from '@/live/socket';
import { useReading } from './reading';

export interface LiveWorkerLog {
  /** Null until it was read. */
  readonly tail: ShallowRef<LogTail | null>;
  readonly error: ShallowRef<RequestError | null>;
}

export function useWorkerLog(workerId: () => string): LiveWorkerLog {
  const tail: ShallowRef<LogTail | null> = shallowRef(null);
  const reading = useReading(async (wanted) => {
    const params = { path: { worker_id: workerId() } };
    const log = await takeBody(api.GET('/api/v3/worker-mgt/workers/{worker_id}/log', { params }));
    if (wanted()) tail.value = tailOf(log);
  });
  watch(workerId, () => {
    reading.reset();
    tail.value = null;
  });
  useSubscription('workerLog', workerId, () => void reading.read());
  useEvent('/workerlog', (update) => {
    if (update.worker !== workerId() || !tail.value) return;
    const grown = withUpdate(tail.value, update);
    if (grown) tail.value = grown;
    else void reading.read();
  });
  return { tail, error: reading.error };
}
