import { describe, expect, it } from 'vitest';
import { placeOf } from './brokenJobTypes';

describe('placeOf', () => {
  it.each([
    [{ wrong_file: 'lib/a.js', line: 3, column: 14 }, 'lib/a.js:3:14'],
    [{ wrong_file: 'a.js', line: 3 }, 'a.js:3'],
    [{ wrong_file: 'a.js', column: 14 }, 'a.js'],
    [{ wrong_file: 'a.js' }, 'a.js'],
    [{}, ''],
  ])('%j is %s', (broken, text) => {
    expect(placeOf(broken)).toBe(text);
  });
});
