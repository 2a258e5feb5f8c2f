import { describe, expect, it } from 'vitest';
import { matchesText, readTableQuery, writeTableQuery, type TableState } from './tableQuery';

const DEFAULTS: TableState = { sort: 'updated', descending: true, statuses: [], text: '' };
const KEYS = ['updated', 'name'];

describe('table query', () => {
  it.each([
    [{}, DEFAULTS],
    [{ sort: 'name' }, { ...DEFAULTS, sort: 'name', descending: false }],
    [{ sort: '-name', q: 'shot 7' }, { ...DEFAULTS, sort: 'name', text: 'shot 7' }],
    [{ status: 'active,queued' }, { ...DEFAULTS, statuses: ['active', 'queued'] }],
  ] as [Record<string, string>, TableState][])('%j and back', (query, state) => {
    expect(readTableQuery(query, DEFAULTS, KEYS)).toEqual(state);
    expect(writeTableQuery(state, DEFAULTS, {})).toEqual(query);
  });

  it.each([
    [{ sort: 'nonsense' }, DEFAULTS],
    [{ sort: '-' }, DEFAULTS],
    [{ status: ',active,,active' }, { ...DEFAULTS, statuses: ['active'] }],
    [{ q: ['a', 'b'] }, { ...DEFAULTS, text: 'a' }],
    [{ q: null }, DEFAULTS],
  ] as [Record<string, string | null | string[]>, TableState][])('%j is mended', (query, state) => {
    expect(readTableQuery(query, DEFAULTS, KEYS)).toEqual(state);
  });

  it('leaves other parameters alone', () => {
    expect(writeTableQuery(DEFAULTS, DEFAULTS, { job: 'x', q: 'old' })).toEqual({ job: 'x' });
  });
});

describe('matchesText', () => {
  it.each([
    ['', true],
    ['  ', true],
    ['shot', true],
    ['SHOT 7', true],
    ['07 sh', true],
    ['shot 8', false],
  ])('%j', (text, expected) => {
    expect(matchesText('shot 07 simple-blender-render', text)).toBe(expected);
  });
});
