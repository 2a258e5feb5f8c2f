import { describe, expect, it } from 'vitest';
import { checkoutFate, howFilesArrive } from './storage';

describe('how files arrive', () => {
  it.each([
    [true, false, 'Files are sent through the Shaman file store in /farm.'],
    [false, false, 'Files are copied to /farm; the Shaman file store is off.'],
    [false, true, 'Nobody has set up the shared storage yet; until then it is /farm.'],
  ])('says so (Shaman %s, first run %s)', (shamanEnabled, isFirstRun, text) => {
    expect(howFilesArrive({ storageLocation: '/farm', shamanEnabled, isFirstRun })).toBe(text);
  });
});

describe('the fate of a checkout', () => {
  it('depends on the file store', () => {
    expect(checkoutFate(true)).toContain('erased');
    expect(checkoutFate(false)).toContain('stays');
  });
});
