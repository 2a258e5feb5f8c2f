// One object in full, for the pane or page that shows it.
import { shallowRef, watch, type ShallowRef, type WatchSource } from 'vue';
import type { RequestError } from '@/api/client';
import { reconnections } from '@/live/feed';
import { useReading } from './reading';

export interface Details<T> {
  /** The object, or null until it was read. */
  readonly data: ShallowRef<T | null>;
  readonly error: ShallowRef<RequestError | null>;
  /** Reads it again. */
  refresh(): void;
}

/**
 * Follows `id` from object to object, and reads the present one again whenever `stale` changes, and after the connection
 * was lost.
 */
export function useDetails<T>(
  id: WatchSource<string>,
  fetch: (id: string) => Promise<T>,
  stale: WatchSource<unknown> = () => undefined,
): Details<T> {
  const data: ShallowRef<T | null> = shallowRef(null);
  let wantedId = '';
  const reading = useReading(async (wanted) => {
    const read = await fetch(wantedId);
    if (wanted()) data.value = read;
  });

  watch(
    id,
    (now) => {
      wantedId = now;
      reading.reset();
      data.value = null;
      if (now !== '') void reading.read();
    },
    { immediate: true },
  );
  function refresh(): void {
    if (wantedId !== '') void reading.read();
  }
  watch([stale, reconnections], refresh);
  return { data, error: reading.error, refresh };
}
