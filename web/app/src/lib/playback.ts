// A flip-book: where it is, how it moves, and what it shows where there is no picture.
import type { FrameRow } from './frames';

/** One place of the sequence. */
export interface Slot {
  readonly frame: number;
  /** `undefined` for a number within the sequence that the manager has no place for. */
  readonly row: FrameRow | undefined;
}

/** Gaps up to this length are filled with missing frames. A longer one is two sequences, not one with a hole. */
const LONGEST_GAP = 1000;

/**
 * The sequence to play, from rows in order. `everyNumber` says that the job has a frame for each number between its first
 * and its last: then a number without row is a frame that is missing.
 */
export function slotsOf(rows: readonly FrameRow[], everyNumber: boolean): Slot[] {
  const slots: Slot[] = [];
  for (const row of rows) {
    const last = slots.at(-1);
    if (everyNumber && last && row.frame - last.frame <= LONGEST_GAP) {
      for (let frame = last.frame + 1; frame < row.frame; frame++) slots.push({ frame, row: undefined });
    }
    slots.push({ frame: row.frame, row });
  }
  return slots;
}

export interface Playback {
  /** Index of the shown place. */
  readonly at: number;
  /** Places per tick: 0 stands still, negative goes back. */
  readonly speed: number;
  readonly loop: boolean;
}

export const STANDING: Playback = { at: 0, speed: 0, loop: true };
const FASTEST = 8;

/** One tick further. At an end without loop it stops there. */
export function tick(now: Playback, length: number): Playback {
  if (now.speed === 0 || length === 0) return now;
  const next = now.at + now.speed;
  if (next >= 0 && next < length) return { ...now, at: next };
  if (now.loop) return { ...now, at: ((next % length) + length) % length };
  return { ...now, at: next < 0 ? 0 : length - 1, speed: 0 };
}

/** Stops, or plays; at the last place of a book that does not loop it begins anew. */
export function togglePlay(now: Playback, length: number): Playback {
  if (now.speed !== 0) return { ...now, speed: 0 };
  return { ...now, speed: 1, at: !now.loop && now.at >= length - 1 ? 0 : now.at };
}

export function goTo(now: Playback, at: number, length: number): Playback {
  return { ...now, at: Math.min(Math.max(0, length - 1), Math.max(0, at)), speed: 0 };
}

/** What a key does, as in editing programs; `undefined` when it is none of the book's. */
export function playKey(now: Playback, key: string, shift: boolean, length: number): Playback | undefined {
  const step = shift ? 10 : 1;
  switch (key) {
    case ' ':
      return togglePlay(now, length);
    case 'ArrowLeft':
      return goTo(now, now.at - step, length);
    case 'ArrowRight':
      return goTo(now, now.at + step, length);
    case 'Home':
      return goTo(now, 0, length);
    case 'End':
      return goTo(now, length - 1, length);
    case 'j':
    case 'J':
      return { ...now, speed: now.speed < 0 ? Math.max(-FASTEST, now.speed * 2) : -1 };
    case 'k':
    case 'K':
      return { ...now, speed: 0 };
    case 'l':
    case 'L':
      return { ...now, speed: now.speed > 0 ? Math.min(FASTEST, now.speed * 2) : 1 };
    default:
      return undefined;
  }
}

/** The picture to hold where there is none: that of the nearest place before, else that of the first after. */
export function heldPicture(slots: readonly Slot[], at: number): FrameRow | undefined {
  for (let place = at; place >= 0; place--) if (slots[place]?.row?.thumb) return slots[place]?.row;
  return slots.find((slot) => slot.row?.thumb)?.row;
}

/** The place to stand on at first: the picture in the middle of what is there, as the still of the shot. */
export function posterAt(slots: readonly Slot[]): number {
  const pictured = slots.flatMap((slot, at) => (slot.row?.thumb ? [at] : []));
  return pictured[Math.floor(pictured.length / 2)] ?? 0;
}

/** The places whose pictures are loaded ahead: most of them before the playhead, in the order they are needed. */
export function preloadOrder(at: number, length: number, window: number, backwards: boolean): number[] {
  const order: number[] = [];
  const count = Math.min(window, length);
  const step = backwards ? -1 : 1;
  for (let ahead = 0; ahead < count; ahead++) order.push((((at + step * ahead) % length) + length) % length);
  return order;
}
