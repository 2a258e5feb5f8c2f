// What of the preview can be sent to somebody else: in and out point, the job it is compared with, or the video.
import { computed, type ComputedRef } from 'vue';
import { useRoute, useRouter, type LocationQueryValue } from 'vue-router';
import type { Arrangement } from '@/lib/comparison';
import type { Points } from '@/lib/playback';

interface PreviewAddress {
  readonly points: ComputedRef<Points>;
  /** Id of the other job; empty for none. */
  readonly other: ComputedRef<string>;
  readonly arrangement: ComputedRef<Arrangement>;
  /** Whether the finished video is wanted instead of the pictures. */
  readonly video: ComputedRef<boolean>;
  showVideo(wanted: boolean): void;
  setPoints(points: Points): void;
  compare(other: string, arrangement: Arrangement): void;
}

function frameIn(value: LocationQueryValue | LocationQueryValue[] | undefined): number | undefined {
  return typeof value === 'string' && /^-?\d{1,9}$/.test(value) ? Number(value) : undefined;
}

export function usePreviewAddress(): PreviewAddress {
  const [route, router] = [useRoute(), useRouter()];
  function put(query: Record<string, string | undefined>): void {
    void router.replace({ query: { ...route.query, ...query } });
  }
  const points = computed<Points>((before) => {
    const [from, to] = [frameIn(route.query.in), frameIn(route.query.out)];
    return before && before.from === from && before.to === to ? before : { from, to };
  });
  return {
    points,
    other: computed(() => (typeof route.query.with === 'string' ? route.query.with : '')),
    arrangement: computed(() => (route.query.as === 'wipe' ? 'wipe' : 'side')),
    video: computed(() => route.query.show === 'video'),
    showVideo: (wanted) => put({ show: wanted ? 'video' : undefined }),
    setPoints: ({ from, to }) => put({ in: from?.toString(), out: to?.toString() }),
    compare: (other, arrangement) => put({ with: other || undefined, as: other && arrangement === 'wipe' ? 'wipe' : undefined }),
  };
}
