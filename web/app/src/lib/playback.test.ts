import { describe, expect, it } from 'vitest';
import { placeRow } from './frames';
import { STANDING, goTo, heldPicture, indexAt, playKey, posterAt, preloadOrder, slotsOf, spanOf, tick, timecode, togglePlay, withPoint } from './playback';

const row = (frame: number, pictured = true) =>
  placeRow({ frame, state: pictured ? 'ok' : 'expected', files: 0, ...(pictured ? { thumbnail: { small: `/${frame}` } } : {}) }, '');

const all = (length: number) => ({ first: 0, last: length - 1 });

describe('the sequence', () => {
  it('shows a missing number of a sequence without gaps as missing', () => {
    expect(slotsOf([row(1), row(4)], true).map(({ frame, row: one }) => [frame, one !== undefined])).toEqual([
      [1, true], [2, false], [3, false], [4, true],
    ]);
  });
  it('does not invent frames that the job does not ask for', () => {
    expect(slotsOf([row(1), row(11), row(21)], false).map(({ frame }) => frame)).toEqual([1, 11, 21]);
  });
  it('does not fill the gap between two sequences', () => expect(slotsOf([row(1), row(50_000)], true)).toHaveLength(2));
});

describe('playing', () => {
  const playing = { ...STANDING, speed: 1 };

  it('goes on', () => expect(tick(playing, all(3)).at).toBe(1));
  it('begins anew at the end', () => expect(tick({ ...playing, at: 2 }, all(3))).toMatchObject({ at: 0, speed: 1 }));
  it('begins at the end when it runs back over the start', () => expect(tick({ ...playing, speed: -1 }, all(3)).at).toBe(2));
  it('without loop it stops at the end', () => expect(tick({ at: 2, speed: 1, loop: false }, all(3))).toEqual({ at: 2, speed: 0, loop: false }));
  it('stands still when it stands', () => expect(tick(STANDING, all(3))).toBe(STANDING));
  it('does not move without frames', () => expect(tick(playing, all(0))).toBe(playing));
  it('played again after its end, it begins at the start', () => {
    expect(togglePlay({ at: 2, speed: 0, loop: false }, all(3))).toEqual({ at: 0, speed: 1, loop: false });
  });
  it('does not leave the sequence', () => {
    expect(goTo(STANDING, 99, 3).at).toBe(2);
    expect(goTo(STANDING, -4, 3).at).toBe(0);
    expect(goTo(STANDING, 4, 0).at).toBe(0);
  });
});

describe('in and out points', () => {
  const slots = slotsOf([row(10), row(20), row(30), row(40)], false);
  it.each([
    [undefined, undefined, 0, 3],
    [20, 30, 1, 2],
    [15, undefined, 1, 3],
    [undefined, 39, 0, 2],
    [41, undefined, 0, 3],
    [21, 29, 0, 3],
  ])('from %s to %s', (from, to, first, last) => expect(spanOf(slots, { from, to })).toEqual({ first, last }));
  it('of nothing is nothing', () => expect(spanOf([], { from: 1, to: 2 })).toEqual({ first: 0, last: -1 }));

  const span = { first: 2, last: 4 };
  const playing = { ...STANDING, speed: 1 };
  it('are what a loop keeps to, forwards and back', () => {
    expect(tick({ ...playing, at: 4 }, span).at).toBe(2);
    expect(tick({ ...playing, at: 2, speed: -1 }, span).at).toBe(4);
    expect(tick({ ...playing, at: 3, speed: 8 }, span).at).toBe(2);
  });
  it('are where it comes to from outside', () => {
    expect(tick({ ...playing, at: 9 }, span).at).toBe(2);
    expect(tick({ ...playing, at: 0, speed: -2 }, span).at).toBe(4);
  });
  it('are where Home and End lead', () => {
    expect(playKey(STANDING, 'Home', false, 9, span)?.at).toBe(2);
    expect(playKey(STANDING, 'End', false, 9, span)?.at).toBe(4);
  });
  it('push each other away', () => {
    expect(withPoint({ from: undefined, to: 20 }, 'from', 10)).toEqual({ from: 10, to: 20 });
    expect(withPoint({ from: 5, to: 20 }, 'from', 30)).toEqual({ from: 30, to: undefined });
    expect(withPoint({ from: 5, to: 20 }, 'to', 3)).toEqual({ from: undefined, to: 3 });
    expect(withPoint({ from: 5, to: 20 }, 'to', undefined)).toEqual({ from: 5, to: undefined });
  });
});

it.each([[0, 24, '00:00:00:00'], [36, 24, '00:00:01:12'], [24 * 3661 + 5, 24, '01:01:01:05'], [25, 24.4, '00:00:01:01']])('place %d at %d fps is %s', (at, fps, expected) => {
  expect(timecode(at, fps)).toBe(expected);
});

describe('keys', () => {
  const at = { ...STANDING, at: 20 };
  it.each([
    [' ', false, { at: 20, speed: 1 }],
    ['ArrowRight', false, { at: 21, speed: 0 }],
    ['ArrowLeft', true, { at: 10, speed: 0 }],
    ['Home', false, { at: 0, speed: 0 }],
    ['End', false, { at: 99, speed: 0 }],
    ['l', false, { speed: 1 }],
    ['j', false, { speed: -1 }],
    ['K', true, { speed: 0 }],
  ])('%s', (key, shift, expected) => expect(playKey(at, key, shift, 100, all(100))).toMatchObject(expected));

  it('L again is quicker, up to a limit, and J turns round', () => {
    let now = playKey(at, 'l', false, 100, all(100));
    for (let press = 0; press < 6; press++) now = now && playKey(now, 'l', false, 100, all(100));
    expect(now?.speed).toBe(8);
    expect(now && playKey(now, 'j', false, 100, all(100))?.speed).toBe(-1);
  });
  it('leaves other keys alone', () => expect(playKey(at, 'x', false, 100, all(100))).toBeUndefined());
});

describe('pictures', () => {
  const slots = slotsOf([row(1, false), row(2), row(3, false), row(4), row(5)], true);

  it('a missing frame holds the one before it', () => expect(heldPicture(slots, 2)?.frame).toBe(2));
  it('a missing first frame shows the first there is', () => expect(heldPicture(slots, 0)?.frame).toBe(2));
  it('without any there is none', () => expect(heldPicture(slotsOf([row(1, false)], true), 0)).toBeUndefined());
  it('the still is the middle one of those that are there', () => expect(slots[posterAt(slots)]?.frame).toBe(4));
  it('loads ahead in the direction of play', () => {
    expect(preloadOrder(3, 5, 4, false)).toEqual([3, 4, 0, 1]);
    expect(preloadOrder(1, 5, 3, true)).toEqual([1, 0, 4]);
    expect(preloadOrder(0, 2, 200, false)).toEqual([0, 1]);
  });
});

it.each([[0, 0], [0.5, 5], [0.99, 9], [1, 9], [1.2, 9], [-0.1, 0]])('a share of %d of ten places is place %d', (share, place) => expect(indexAt(share, 10)).toBe(place));
