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

/** The places that are played: from the in point to the out point, both included. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/** The points that a person set, as frame numbers; `undefined` for the end of the sequence on that side. */
export interface Points {
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** What is played of a sequence. Points that leave nothing to play do not count. */
export function spanOf(slots: readonly Slot[], { from = -Infinity, to = Infinity }: Points): Span {
  const first = slots.findIndex(({ frame }) => frame >= from);
  const last = slots.findLastIndex(({ frame }) => frame <= to);
  return first < 0 || last < first ? { first: 0, last: slots.length - 1 } : { first, last };
}

/** Points with another in point. It moves the out point away when that would be before it, and the other way round. */
export function withPoint(points: Points, side: 'from' | 'to', frame: number | undefined): Points {
  const next = { ...points, [side]: frame };
  if (next.from === undefined || next.to === undefined || next.from <= next.to) return next;
  return side === 'from' ? { from: frame, to: undefined } : { from: undefined, to: frame };
}

/** One tick further. At an end without loop it stops there. Whoever stands outside of the span comes into it. */
export function tick(now: Playback, { first, last }: Span): Playback {
  const length = last - first + 1;
  if (now.speed === 0 || length <= 0) return now;
  const next = now.at + now.speed;
  if (now.at < first || now.at > last) return { ...now, at: now.speed > 0 ? first : last };
  if (next >= first && next <= last) return { ...now, at: next };
  if (now.loop) return { ...now, at: first + ((((next - first) % length) + length) % length) };
  return { ...now, at: next < first ? first : last, speed: 0 };
}

/** Stops, or plays; at the last place of a book that does not loop it begins anew. */
export function togglePlay(now: Playback, { first, last }: Span): Playback {
  if (now.speed !== 0) return { ...now, speed: 0 };
  return { ...now, speed: 1, at: !now.loop && now.at >= last ? first : now.at };
}

export function goTo(now: Playback, at: number, length: number): Playback {
  return { ...now, at: Math.min(Math.max(0, length - 1), Math.max(0, at)), speed: 0 };
}

/** What a key does, as in editing programs; `undefined` when it is none of the book's. */
export function playKey(now: Playback, key: string, shift: boolean, length: number, span: Span): Playback | undefined {
  const step = shift ? 10 : 1;
  switch (key) {
    case ' ':
      return togglePlay(now, span);
    case 'ArrowLeft':
      return goTo(now, now.at - step, length);
    case 'ArrowRight':
      return goTo(now, now.at + step, length);
    case 'Home':
      return goTo(now, span.first, length);
    case 'End':
      return goTo(now, span.last, length);
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

/** Hours, minutes, seconds and pictures since the start of the sequence, as cutters write it: `00:00:01:12`. */
export function timecode(at: number, fps: number): string {
  const rate = Math.max(1, Math.round(fps));
  const seconds = Math.floor(at / rate);
  return [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60, at % rate].map((part) => String(part).padStart(2, '0')).join(':');
}

/** The place at a share of a width, from 0 to 1; within the sequence, whatever the share. */
export function indexAt(share: number, length: number): number {
  return Math.max(0, Math.min(length - 1, Math.floor(share * length)));
}
