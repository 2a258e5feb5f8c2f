// Whether anybody is at the page, and whether a reload would lose something.
import { onMounted, onScopeDispose } from 'vue';

const SIGNS = ['pointermove', 'pointerdown', 'keydown', 'wheel', 'resize'] as const;

/** Whether something that somebody wrote or opened would be lost. What a filter says is in the address. */
export function isBeingEdited(page: ParentNode = document): boolean {
  if (page.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"]')) return true;
  return [...page.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>('input:not([type="checkbox"], [type="radio"], [type="range"]), textarea')].some(
    (field) => field.value !== '' && !field.closest('[role="search"]'),
  );
}

/** Runs `action` once nobody has been at the page for `quiet` milliseconds and nothing is being edited, each time again. */
export function useUnattended(quiet: number, action: () => void): void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = (): void => {
    timer = setTimeout(() => {
      if (!isBeingEdited()) action();
      wait();
    }, quiet);
  };
  const restart = (): void => {
    clearTimeout(timer);
    wait();
  };
  onMounted(() => {
    wait();
    for (const sign of SIGNS) addEventListener(sign, restart, { passive: true });
  });
  onScopeDispose(() => {
    clearTimeout(timer);
    for (const sign of SIGNS) removeEventListener(sign, restart);
  });
}
