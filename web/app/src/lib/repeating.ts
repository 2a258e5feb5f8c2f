import { onScopeDispose } from 'vue';

/** Runs `action` every `interval` milliseconds while the scope lives and the page can be seen. */
export function useRepeating(interval: number, action: () => void): void {
  const timer = setInterval(() => {
    if (!document.hidden) action();
  }, interval);
  onScopeDispose(() => clearInterval(timer));
}
