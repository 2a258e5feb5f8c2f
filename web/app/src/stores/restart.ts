// Starting the manager again: asks for it, and waits until it is back.
import { defineStore } from 'pinia';
import { computed, shallowRef } from 'vue';
import { api, take, takeBody, toRequestError, type RequestError } from '@/api/client';

/** How often to look whether the manager is back, and for how long, in milliseconds. */
const LOOK = 500;
const PATIENCE = 90_000;

export type RestartPhase = 'idle' | 'asking' | 'away' | 'back';

export const useRestart = defineStore('restart', () => {
  const phase = shallowRef<RestartPhase>('idle');
  /** Why it did not start again, or why nobody knows. */
  const error = shallowRef<RequestError | null>(null);
  const busy = computed(() => phase.value === 'asking' || phase.value === 'away');

  /** Has the manager start again. Whether it is back; it goes on as it was when it refuses. */
  async function restart(): Promise<boolean> {
    if (busy.value) return false;
    phase.value = 'asking';
    error.value = null;
    try {
      const before = await startedAt();
      await take(api.POST('/api/v3/configuration/restart'));
      phase.value = 'away';
      await untilAfter(before);
      phase.value = 'back';
      return true;
    } catch (cause) {
      phase.value = 'idle';
      error.value = toRequestError(cause);
      return false;
    }
  }

  /** What was said about a restart is read. */
  function forget(): void {
    if (busy.value) return;
    phase.value = 'idle';
    error.value = null;
  }

  return { phase, error, busy, restart, forget };
});

async function startedAt(): Promise<string> {
  return (await takeBody(api.GET('/api/v3/configuration/state'))).started_at;
}

async function untilAfter(before: string): Promise<void> {
  const end = Date.now() + PATIENCE;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, LOOK));
    try {
      if ((await startedAt()) !== before) return;
      if (Date.now() > end) throw new Error('The manager has not started again; its log says why.');
    } catch (cause) {
      // It is not back yet.
      if (Date.now() > end) throw cause;
    }
  }
}
