// Keys that work anywhere on the page.
import { onMounted, onScopeDispose } from 'vue';

/** Whether a key press belongs to a field that is being typed in. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Runs `action` on a key, unless somebody is typing. `mod+k` means Ctrl-K, and Command-K on a Mac; that works always. */
export function useShortcut(keys: string, action: () => void): void {
  const command = keys.startsWith('mod+');
  const key = command ? keys.slice(4) : keys;
  function listen(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.altKey || event.key !== key) return;
    if (command !== (event.ctrlKey || event.metaKey)) return;
    if (!command && isTyping(event.target)) return;
    // A dialog has the keyboard to itself.
    if (!command && document.querySelector('[role="dialog"]')) return;
    event.preventDefault();
    action();
  }
  onMounted(() => addEventListener('keydown', listen));
  onScopeDispose(() => removeEventListener('keydown', listen));
}
