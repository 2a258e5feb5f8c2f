import { describe, expect, it } from 'vitest';
import { compareKeys, naturalKey } from './naturalSort';

describe('naturalKey', () => {
  it.each([
    ['shot 9', 'shot 10'],
    ['Shot 2', 'shot 3'],
    ['shot 010', 'shot 11'],
    ['a', 'b'],
    ['render-1-10', 'render-1-100'],
    ['render-2', 'render-10-1'],
    ['', 'a'],
    ['v1', 'v18446744073709551616'],
  ])('%s comes before %s', (first, second) => {
    expect(compareKeys(naturalKey(first), naturalKey(second))).toBe(-1);
    expect(compareKeys(naturalKey(second), naturalKey(first))).toBe(1);
  });

  it('treats case and leading zeros as equal', () => {
    expect(naturalKey('SHOT 007')).toBe(naturalKey('shot 7'));
  });
});
