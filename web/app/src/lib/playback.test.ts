import { describe, expect, it } from 'vitest';
import { placeRow } from './frames';
import { STANDING, goTo, heldPicture, playKey, posterAt, preloadOrder, slotsOf, tick, togglePlay } from './playback';

const row = (frame: number, pictured = true) =>
  placeRow({ frame, state: pictured ? 'ok' : 'expected', files: 0, ...(pictured ? { thumbnail: { small: `/${frame}` } } : {}) }, '');

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

  it('goes on', () => expect(tick(playing, 3).at).toBe(1));
  it('begins anew at the end', () => expect(tick({ ...playing, at: 2 }, 3)).toMatchObject({ at: 0, speed: 1 }));
  it('begins at the end when it runs back over the start', () => expect(tick({ ...playing, speed: -1 }, 3).at).toBe(2));
  it('without loop it stops at the end', () => expect(tick({ at: 2, speed: 1, loop: false }, 3)).toEqual({ at: 2, speed: 0, loop: false }));
  it('stands still when it stands', () => expect(tick(STANDING, 3)).toBe(STANDING));
  it('does not move without frames', () => expect(tick(playing, 0)).toBe(playing));
  it('played again after its end, it begins at the start', () => {
    expect(togglePlay({ at: 2, speed: 0, loop: false }, 3)).toEqual({ at: 0, speed: 1, loop: false });
  });
  it('does not leave the sequence', () => {
    expect(goTo(STANDING, 99, 3).at).toBe(2);
    expect(goTo(STANDING, -4, 3).at).toBe(0);
    expect(goTo(STANDING, 4, 0).at).toBe(0);
  });
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
  ])('%s', (key, shift, expected) => expect(playKey(at, key, shift, 100)).toMatchObject(expected));

  it('L again is quicker, up to a limit, and J turns round', () => {
    let now = playKey(at, 'l', false, 100);
    for (let press = 0; press < 6; press++) now = now && playKey(now, 'l', false, 100);
    expect(now?.speed).toBe(8);
    expect(now && playKey(now, 'j', false, 100)?.speed).toBe(-1);
  });
  it('leaves other keys alone', () => expect(playKey(at, 'x', false, 100)).toBeUndefined());
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
