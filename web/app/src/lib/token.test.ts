import { expect, it } from 'vitest';
import { newToken } from './token';

it('a token is long enough, readable, and never the same', () => {
  const tokens = Array.from({ length: 500 }, newToken);
  for (const token of tokens) expect(token).toMatch(/^(?:[a-km-np-z2-9]{8}-){3}[a-km-np-z2-9]{8}$/);
  expect(new Set(tokens).size).toBe(500);
  // Every letter there is occurs, so that none of the random bits is lost.
  expect(new Set(tokens.join('').replaceAll('-', '')).size).toBe(32);
});
