// The present time for whoever shows "4 min ago": one timer for all of them, and none while nobody looks.
import { onScopeDispose, readonly, shallowRef, type Ref } from 'vue';

const now = shallowRef(Date.now());
let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** The time in milliseconds, brought up to date every second for as long as the calling scope lives. */
export function useNow(): Readonly<Ref<number>> {
  if (users++ === 0) {
    now.value = Date.now();
    timer = setInterval(() => (now.value = Date.now()), 1000);
  }
  onScopeDispose(() => {
    if (--users === 0) clearInterval(timer);
  });
  return readonly(now);
}
