import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { useNotifications } from './notifications';

beforeEach(() => {
  vi.useFakeTimers();
  setActivePinia(createPinia());
});
afterEach(() => void vi.useRealTimers());

describe('notifications', () => {
  it('a success goes by itself, one with undo stays longer, an error stays', () => {
    const store = useNotifications();
    store.show({ level: 'success', text: 'done' });
    store.show({ level: 'success', text: 'undoable', undo: () => {} });
    store.show({ level: 'error', text: 'bad' });
    const shown = () => store.toasts.map((toast) => toast.text);
    expect(shown()).toEqual(['done', 'undoable', 'bad']);
    vi.advanceTimersByTime(6001);
    expect(shown()).toEqual(['undoable', 'bad']);
    vi.advanceTimersByTime(60_000);
    expect(shown()).toEqual(['bad']);
    store.dismiss(store.toasts[0]!.id);
    expect(shown()).toEqual([]);
    expect(store.list).toHaveLength(3);
  });

  it('counts what was not looked at', () => {
    const store = useNotifications();
    store.note({ level: 'info', text: 'one' });
    store.note({ level: 'info', text: 'two' });
    expect(store.unread).toBe(2);
    store.markSeen();
    expect(store.unread).toBe(0);
    expect(store.toasts).toHaveLength(0);
    store.note({ level: 'info', text: 'three' });
    expect(store.unread).toBe(1);
  });

  it('keeps the last thousand', () => {
    const store = useNotifications();
    for (let n = 1; n <= 1005; n++) store.note({ level: 'info', text: `${n}` });
    expect(store.list).toHaveLength(1000);
    expect(store.list.at(0)?.text).toBe('6');
    expect(store.list.at(-1)?.text).toBe('1005');
  });
});
