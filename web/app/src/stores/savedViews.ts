// The views that a person has saved in this browser.
import { defineStore } from 'pinia';
import { computed } from 'vue';
import { parseViews, withoutView, withView, type SavedView } from '@/lib/savedViews';
import { remembered } from '@/lib/remembered';

export const useSavedViews = defineStore('savedViews', () => {
  const stored = remembered('saved-views', '[]');
  const list = computed(() => parseViews(stored.value));
  function save(view: SavedView): void {
    stored.value = JSON.stringify(withView(list.value, view));
  }
  function forget(view: SavedView): void {
    stored.value = JSON.stringify(withoutView(list.value, view));
  }
  return { list, save, forget };
});
