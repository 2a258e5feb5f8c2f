import { describe, expect, it } from 'vitest';
import { variableReach } from './variableReach';

const value = (text: string, platform: string, audience?: string): object => ({ value: text, platform, ...(audience ? { audience } : {}) });

describe('what a variable becomes', () => {
  it.each([
    ['one value for all', [value('-b', 'all')], [['Everybody everywhere', '-b']]],
    ['one for each platform', [value('b', 'linux'), value('b.exe', 'windows'), value('b', 'darwin')], [['Everybody on Linux and macOS', 'b'], ['Everybody on Windows', 'b.exe']]],
    ['a platform overrules all, whichever comes first', [value('x', 'windows'), value('y', 'all')], [['Everybody on Linux and macOS', 'y'], ['Everybody on Windows', 'x']]],
    ['the later of two wins', [value('old', 'all'), value('new', 'all', 'all')], [['Everybody everywhere', 'new']]],
    ['nothing for some', [value('x', 'linux')], [['Everybody on Linux', 'x'], ['Everybody on Windows and macOS', undefined]]],
    ['no value at all', [], [['Everybody everywhere', undefined]]],
    ['users and workers apart', [value('u', 'all', 'users'), value('w', 'all', 'workers')], [['Users everywhere', 'u'], ['Workers everywhere', 'w']]],
    ['a list of platforms', [{ value: 'm', platforms: ['linux', 'darwin'] }, value('w', 'windows')], [['Everybody on Linux and macOS', 'm'], ['Everybody on Windows', 'w']]],
  ])('%s', (_, values, expected) => {
    expect(variableReach({ values }).map(({ who, value: text }) => [who, text])).toEqual(expected);
  });

  it('survives what is no definition', () => expect(variableReach('text')).toEqual([{ who: 'Everybody everywhere', value: undefined }]));
});
