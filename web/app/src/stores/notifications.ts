// What happened, app-wide: a list for looking back, and toasts for what a person should see now.
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import type { RouteLocationRaw } from 'vue-router';

export type NoticeLevel = 'info' | 'success' | 'warning' | 'error';

export interface Notice {
  readonly id: number;
  readonly at: number;
  readonly level: NoticeLevel;
  readonly text: string;
  /** Where a click on the notice leads. */
  readonly to?: RouteLocationRaw;
  /** Takes the action back that this notice reports. */
  readonly undo?: () => void;
}

export type NewNotice = Omit<Notice, 'id' | 'at'>;

const KEPT = 1000;
const TOASTS = 4;
const TOAST_TIME = 6000;
const UNDO_TIME = 10_000;

export const useNotifications = defineStore('notifications', () => {
  const list = shallowRef<readonly Notice[]>([]);
  const toasts = shallowRef<readonly Notice[]>([]);
  const seenUpTo = ref(0);
  let nextId = 1;

  const unread = computed(() => list.value.filter((notice) => notice.id > seenUpTo.value).length);

  /** Adds to the list only: worth knowing, not worth interrupting for. */
  function note(notice: NewNotice): Notice {
    const added = { ...notice, id: nextId++, at: Date.now() };
    list.value = [...list.value.slice(1 - KEPT), added];
    return added;
  }

  /** Adds to the list and shows a toast. An error stays until it is dismissed. */
  function show(notice: NewNotice): void {
    const added = note(notice);
    toasts.value = [...toasts.value, added].slice(-TOASTS);
    // What leads somewhere is news; the rest answers who sits at the page.
    if (added.to) for (const teller of tellers) teller(added);
    if (added.level === 'error') return;
    setTimeout(() => dismiss(added.id), added.undo ? UNDO_TIME : TOAST_TIME);
  }

  const tellers = new Set<(notice: Notice) => void>();
  /** Calls `teller` with every message that is news. */
  function onNews(teller: (notice: Notice) => void): () => void {
    tellers.add(teller);
    return () => tellers.delete(teller);
  }

  function dismiss(id: number): void {
    toasts.value = toasts.value.filter((toast) => toast.id !== id);
  }

  function markSeen(): void {
    seenUpTo.value = list.value.at(-1)?.id ?? 0;
  }

  return { list, toasts, unread, note, show, onNews, dismiss, markSeen };
});
