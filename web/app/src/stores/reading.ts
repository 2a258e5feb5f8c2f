// The state of data that is read as a whole: being read, there, or not to be had.
import { shallowRef, type ShallowRef } from 'vue';
import { toRequestError, type RequestError } from '@/api/client';

export interface Reading {
  /** Whether the data was read at least once. */
  readonly ready: ShallowRef<boolean>;
  /** Why the last attempt failed; null after a success. */
  readonly error: ShallowRef<RequestError | null>;
  /** Reads now. While a read is under way, asks for one more after it, so that nothing that happened since is missed. */
  read(): Promise<void>;
  /** Forgets the data; an answer still under way is ignored. */
  reset(): void;
}

/**
 * Wraps a request in a {@link Reading}. `request` gets a function that says whether its answer is still wanted; it must ask
 * it after each `await` and before it changes anything.
 */
export function useReading(request: (wanted: () => boolean) => Promise<void>): Reading {
  const ready = shallowRef(false);
  const error = shallowRef<RequestError | null>(null);
  let generation = 0;
  let running: Promise<void> | undefined;
  let again = false;

  async function run(mine: number): Promise<void> {
    const wanted = (): boolean => mine === generation;
    do {
      again = false;
      try {
        await request(wanted);
        if (!wanted()) return;
        ready.value = true;
        error.value = null;
      } catch (cause) {
        if (!wanted()) return;
        error.value = toRequestError(cause);
      }
    } while (again);
    running = undefined;
  }

  function read(): Promise<void> {
    if (running) again = true;
    else running = run(generation);
    return running;
  }

  function reset(): void {
    generation++;
    running = undefined;
    again = false;
    ready.value = false;
    error.value = null;
  }

  return { ready, error, read, reset };
}
