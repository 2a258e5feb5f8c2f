// The active row of a list as a parameter of the address, so that a reload or a link shows the same details.
import { watch, type ShallowRef } from 'vue';
import { useRoute, useRouter } from 'vue-router';
import { NOTHING, selectOnly, type Selection } from '@/lib/selection';

export function useActiveInAddress(parameter: string, selection: ShallowRef<Selection>): void {
  const [route, router] = [useRoute(), useRouter()];
  const home = route.name;

  watch(
    () => route.query[parameter],
    (value) => {
      if (route.name !== home) return;
      const id = typeof value === 'string' && value !== '' ? value : null;
      if (id === selection.value.active) return;
      if (id !== null) selection.value = selectOnly(id);
      else if (selection.value.ids.size <= 1) selection.value = NOTHING;
    },
    { immediate: true },
  );
  watch(
    () => selection.value.active,
    (active) => {
      if (route.name !== home || (route.query[parameter] ?? null) === active) return;
      void router.replace({ query: { ...route.query, [parameter]: active ?? undefined } });
    },
  );
}
