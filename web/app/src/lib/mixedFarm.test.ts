import { describe, expect, it } from 'vitest';
import { isPaths, otherPlatforms, platformTitle, storageError, type PlatformName } from './mixedFarm';

describe('paths of other platforms', () => {
  it.each<[PlatformName, string, boolean]>([
    ['windows', '', true],
    ['windows', 'F:\\farm', true],
    ['windows', ' f:/farm ', true],
    ['windows', 'F:', true],
    ['windows', 'F:farm', false],
    ['windows', '/mnt/farm', false],
    ['windows', '\\\\server\\share', false],
    ['linux', '/mnt/farm', true],
    ['linux', 'mnt/farm', false],
    ['darwin', 'F:\\farm', false],
    ['darwin', '/Volumes/farm', true],
  ])('%s: "%s" is fine: %s', (platform, path, fine) => {
    expect(storageError(platform, path) === '').toBe(fine);
  });

  it('are sent as far as they were typed, and never for the platform of the manager', () => {
    const paths = {
      linux: { storage: '/mnt/farm', blender: '' },
      windows: { storage: ' F:\\farm ', blender: '' },
      darwin: { storage: ' ', blender: 'blender' },
    };
    expect(otherPlatforms(paths, 'linux')).toEqual([
      { platform: 'windows', storage: 'F:\\farm' },
      { platform: 'darwin', blender: 'blender' },
    ]);
    expect(otherPlatforms({}, 'linux')).toEqual([]);
  });

  it('from an earlier visit are taken only when they are such', () => {
    expect([{}, { linux: { storage: '', blender: '' } }].map(isPaths)).toEqual([true, true]);
    expect([null, [], 'x', { linux: 3 }, { linux: { storage: 1, blender: '' } }, { linux: {} }].map(isPaths)).toEqual(Array(6).fill(false));
  });

  it('have names', () => {
    expect([platformTitle('darwin'), platformTitle('freebsd')]).toEqual(['macOS', 'freebsd']);
  });
});
