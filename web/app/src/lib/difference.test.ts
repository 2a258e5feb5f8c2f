import { expect, it } from 'vitest';
import { readDifference, shareText } from './difference';

it('is read from the colours, and not from alpha', () => {
  expect(readDifference(Uint8ClampedArray.of(0, 0, 0, 255, 0, 0, 0, 255))).toEqual({ mean: 0, most: 0 });
  expect(readDifference(Uint8ClampedArray.of(255, 255, 255, 0))).toEqual({ mean: 1, most: 1 });
  expect(readDifference(Uint8ClampedArray.of(51, 0, 0, 255, 0, 0, 0, 255))).toEqual({ mean: 0.2 / 6, most: 0.2 });
});
it('of nothing is nothing', () => expect(readDifference(new Uint8ClampedArray())).toEqual({ mean: 0, most: 0 }));
it.each([[0, '0.0 %'], [0.0042, '0.4 %'], [0.1234, '12 %'], [0.0996, '10 %']])('%d reads %s', (share, text) => expect(shareText(share)).toBe(text));
