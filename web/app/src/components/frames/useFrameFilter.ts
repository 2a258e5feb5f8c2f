// The filter of the frames view by range, time and worker, in the address.
import { computed, type ComputedRef } from 'vue';
import { useRoute, useRouter } from 'vue-router';
import { acceptedFrames, isSameFilter, readFrameFilter, writeFrameFilter, type FrameFilter } from '@/lib/frameFilter';
import type { FrameRow } from '@/lib/frames';
import type { RowFilter } from '@/lib/grid/gridView';

interface AddressFilter {
  readonly filter: ComputedRef<FrameFilter>;
  /** What it lets through; the same object for as long as it is the same filter. */
  readonly accepts: ComputedRef<RowFilter<FrameRow> | null>;
  set(change: Partial<FrameFilter>): void;
}

export function useFrameFilter(): AddressFilter {
  const [route, router] = [useRoute(), useRouter()];
  const home = route.name;
  const filter = computed<FrameFilter>((before) => {
    if (route.name !== home && before) return before;
    const now = readFrameFilter(route.query);
    return before && isSameFilter(before, now) ? before : now;
  });
  const accepts = computed(() => acceptedFrames(filter.value));
  function set(change: Partial<FrameFilter>): void {
    void router.replace({ query: writeFrameFilter({ ...filter.value, ...change }, route.query) });
  }
  return { filter, accepts, set };
}
