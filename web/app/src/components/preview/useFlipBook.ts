// The moving part of a flip-book: its sequence, its clock, and the pictures it needs next.
import { computed, onScopeDispose, shallowRef, watch, type ComputedRef, type ShallowRef } from 'vue';
import { compareNumbers, type FrameRow } from '@/lib/frames';
import { STANDING, posterAt, preloadOrder, slotsOf, spanOf, tick, type Playback, type Points, type Slot, type Span } from '@/lib/playback';
import { useFrames } from '@/stores/frames';
import { PictureCache } from './pictureCache';

/** So many places around the playhead are loaded ahead. */
const WINDOW = 200;

export interface FlipBook {
  readonly slots: ComputedRef<Slot[]>;
  readonly now: Readonly<ShallowRef<Playback>>;
  /** What a person does; from then on the book does not go to the poster by itself. */
  move(next: Playback): void;
  readonly slot: ComputedRef<Slot | undefined>;
  /** What is played of it. */
  readonly span: ComputedRef<Span>;
  readonly cache: PictureCache;
  readonly fps: ShallowRef<number>;
}

interface Wishes {
  /** See {@link slotsOf}. */
  readonly everyNumber: () => boolean;
  /** The frame to stand on at first, if one was chosen. */
  readonly poster: () => number | undefined;
  readonly points: () => Points;
  /** Frames of a second job, whose pictures are needed as well. */
  readonly others: () => readonly FrameRow[];
}

export function useFlipBook({ everyNumber, poster, points, others }: Wishes): FlipBook {
  const frames = useFrames();
  const cache = new PictureCache();
  const now = shallowRef<Playback>(STANDING);
  const fps = shallowRef(24);
  let touched = false;

  const slots = computed(() => {
    void frames.table.pulse.value;
    const rows: FrameRow[] = [...frames.table.values()].sort(compareNumbers);
    return slotsOf(rows, everyNumber());
  });
  const slot = computed(() => slots.value[now.value.at]);
  const span = computed(() => spanOf(slots.value, points()));
  const otherRows = computed(() => new Map(others().map((row) => [row.frame, row])));

  watch(slots, (sequence, before) => {
    // The book grows while it is looked at: the frame that is shown stays the same.
    const shown = before?.[now.value.at]?.frame;
    const at = touched ? sequence.findIndex(({ frame }) => frame === shown) : standing(sequence);
    now.value = { ...now.value, at: Math.max(0, at) };
  }, { immediate: true });
  watch(poster, () => {
    if (!touched) now.value = { ...now.value, at: standing(slots.value) };
  });
  function standing(sequence: readonly Slot[]): number {
    const chosen = sequence.findIndex(({ frame }) => frame === poster());
    return chosen >= 0 ? chosen : posterAt(sequence);
  }

  watch([now, slots, otherRows], ([playback, sequence, other]) => {
    const order = preloadOrder(playback.at, sequence.length, WINDOW, playback.speed < 0);
    const wanted = order.flatMap((at) => [sequence[at]?.row ?? [], other.get(sequence[at]?.frame ?? NaN) ?? []].flat());
    const rows = wanted.filter((row) => row.thumb !== '');
    // The small ones first: they are there at once, and good enough until the large ones are.
    const nearest = rows[0] ? [rows[0].picture] : [];
    cache.want([...nearest, ...rows.map((row) => row.thumb), ...rows.map((row) => row.picture)]);
  }, { immediate: true });

  let animation = 0;
  let due = 0;
  function run(time: number): void {
    if (now.value.speed === 0) return;
    animation = requestAnimationFrame(run);
    if (due === 0) due = time;
    // After a pause of the page the clock does not run to catch up.
    if (time - due > 500) due = time;
    while (time >= due && now.value.speed !== 0) {
      now.value = tick(now.value, span.value);
      due += 1000 / fps.value;
    }
  }
  watch(() => now.value.speed !== 0, (moving) => {
    cancelAnimationFrame(animation);
    due = 0;
    if (moving) animation = requestAnimationFrame(run);
  });
  onScopeDispose(() => {
    cancelAnimationFrame(animation);
    cache.clear();
  });
  function move(next: Playback): void {
    touched = true;
    now.value = next;
  }
  return { slots, now, slot, span, cache, fps, move };
}
