import { describe, expect, it } from 'vitest';
import { clockText, durationText, sizeText } from './units';

describe('durations', () => {
  it.each([
    [undefined, '–'],
    [-1, '–'],
    [0, '0 ms'],
    [840, '840 ms'],
    [2400, '2.4 s'],
    [59_400, '59 s'],
    [200_000, '3 min 20 s'],
    [180_000, '3 min'],
    [18_720_000, '5 h 12 min'],
    [187_200_000, '2 d 4 h'],
  ])('%s', (ms, words) => expect(durationText(ms)).toBe(words));
});

describe('sizes', () => {
  it.each([
    [undefined, '–'],
    [-1, '–'],
    [512, '512 B'],
    [2400, '2.4 kB'],
    [18_000, '18 kB'],
    [2_400_000_000, '2.4 GB'],
  ])('%s', (bytes, words) => expect(sizeText(bytes)).toBe(words));
});

describe('times of day', () => {
  const now = new Date(2026, 2, 4, 13, 0).getTime();
  it('has no date today', () => expect(clockText(new Date(2026, 2, 4, 14, 5).getTime(), now)).toBe('14:05'));
  it('has one on another day', () => expect(clockText(new Date(2026, 2, 6, 9, 0).getTime(), now)).toBe('Fri, Mar 6 09:00'));
});
