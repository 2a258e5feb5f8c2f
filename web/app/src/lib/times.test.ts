import { describe, expect, it } from 'vitest';
import { absoluteTime, messageTime, parseTime, relativeTime } from './times';

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;
const NOW = new Date(2026, 2, 20, 12, 0, 0).getTime();

describe('relativeTime', () => {
  it.each([
    [-3 * S, 'just now'],
    [0, 'just now'],
    [4.9 * S, 'just now'],
    [5 * S, '5 s ago'],
    [9.9 * S, '5 s ago'],
    [59.9 * S, '55 s ago'],
    [M, '1 min ago'],
    [59 * M, '59 min ago'],
    [H, '1 h ago'],
    [23 * H, '23 h ago'],
    [D, '1 d ago'],
    [13.9 * D, '13 d ago'],
    [14 * D, '2026-03-06'],
    [400 * D, '2025-02-13'],
  ])('age %d ms', (age, expected) => {
    expect(relativeTime(NOW - age, NOW)).toBe(expected);
  });

  it('calls a missing time never', () => {
    expect(relativeTime(0, NOW)).toBe('never');
  });
});

describe('parseTime', () => {
  it.each([
    ['2026-03-20T12:00:00Z', Date.UTC(2026, 2, 20, 12)],
    ['2026-03-20T12:00:00.123456Z', Date.UTC(2026, 2, 20, 12, 0, 0, 123)],
    ['2026-03-20T14:00:00+02:00', Date.UTC(2026, 2, 20, 12)],
    ['', 0],
    [undefined, 0],
    ['yesterday', 0],
  ])('%s', (text, expected) => {
    expect(parseTime(text)).toBe(expected);
  });
});

describe('points in time', () => {
  it('are local and sortable', () => {
    expect(absoluteTime(NOW)).toBe('2026-03-20 12:00:00');
    expect(absoluteTime(0)).toBe('never');
  });

  it('messages show the date only when it is not today', () => {
    expect(messageTime(NOW - H, NOW)).toBe('11:00');
    expect(messageTime(NOW - 2 * D, NOW)).toBe('2026-03-18 12:00');
  });
});
