// A small picture that plays while somebody points at it, and follows the mouse while that moves.
import { computed, onScopeDispose, shallowRef, watch, type ComputedRef } from 'vue';
import { api, takeBody } from '@/api/client';
import { imageQueue } from '@/lib/imageQueue';
import { indexAt } from '@/lib/playback';

/** Pictures per second. */
const RATE = 12;
/** A long sequence is shown with every second, third … picture. */
const MOST = 120;
/** So long after the mouse has stopped it plays on, in milliseconds. */
const REST = 700;

export interface HoverPlay {
  /** Address of the picture; empty while nobody points at it. */
  readonly picture: ComputedRef<string>;
  play(): Promise<void>;
  scrub(event: PointerEvent): void;
  stop(): void;
}

function load(address: string): () => void {
  const image = new Image();
  const release = imageQueue.request(() => (image.src = address));
  image.onload = image.onerror = release;
  return release;
}

/** Its pictures are asked for when somebody points at it, not before. */
export function useHoverPlay(jobId: () => string): HoverPlay {
  const pictures = shallowRef<readonly string[]>([]);
  const at = shallowRef(-1);
  let timer: ReturnType<typeof setInterval> | undefined;
  let scrubbedAt = 0;
  /** Withdraws what was not loaded yet. */
  let waiting: (() => void)[] = [];

  function turn(): void {
    if (pictures.value.length === 0 || performance.now() - scrubbedAt < REST) return;
    at.value = (at.value + 1) % pictures.value.length;
  }
  async function play(): Promise<void> {
    if (timer !== undefined) return;
    const mine = (timer = setInterval(turn, 1000 / RATE));
    try {
      const grid = await takeBody(api.GET('/api/v3/jobs/{job_id}/frames/grid', { params: { path: { job_id: jobId() } } }));
      if (timer !== mine) return;
      const all = grid.places.flatMap((place) => place.thumbnail?.small ?? []);
      const step = Math.max(1, Math.ceil(all.length / MOST));
      pictures.value = all.filter((_, index) => index % step === 0);
      // They are small, and a mouse is quick; but not all at once.
      waiting = pictures.value.map(load);
    } catch {
      // The still stays; the page of the job says what is wrong.
      stop();
    }
  }
  function scrub(event: PointerEvent): void {
    if (event.pointerType !== 'mouse' || pictures.value.length === 0) return;
    const { left, width } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    at.value = indexAt((event.clientX - left) / width, pictures.value.length);
    scrubbedAt = performance.now();
  }
  function stop(): void {
    clearInterval(timer);
    for (const release of waiting) release();
    waiting = [];
    [timer, at.value, scrubbedAt] = [undefined, -1, 0];
  }
  // A row of a list is used again for another job.
  watch(jobId, () => {
    stop();
    pictures.value = [];
  });
  onScopeDispose(stop);
  return { picture: computed(() => pictures.value[at.value] ?? ''), play, scrub, stop };
}
