import { describe, expect, it } from 'vitest';
import { acceptedFrames, readFrameFilter, writeFrameFilter } from './frameFilter';
import { placeRow } from './frames';

const row = (frame: number, render_ms: number, worker = 'w') => placeRow({ frame, state: 'ok', files: 1, render_ms, worker }, '');
const NONE = { range: '', slower: '', worker: '' };

describe('the filter in the address', () => {
  it('is read and written, and leaves other parameters alone', () => {
    const filter = { range: '1-5', slower: '2.5', worker: 'w1' };
    const query = writeFrameFilter(filter, { view: 'table', range: '9' });
    expect(query).toEqual({ view: 'table', range: '1-5', slower: '2.5', worker: 'w1' });
    expect(readFrameFilter({ range: '1-5', slower: '2.5', worker: 'w1' })).toEqual(filter);
    expect(writeFrameFilter(NONE, { view: 'table', range: '9' })).toEqual({ view: 'table' });
  });
  it('survives nonsense', () => expect(readFrameFilter({ range: ['1', '2'] })).toEqual(NONE));
});

describe('what it lets through', () => {
  const passes = (filter: Partial<typeof NONE>, ...args: Parameters<typeof row>) => acceptedFrames({ ...NONE, ...filter })?.accepts(row(...args));

  it('everything when it is off', () => expect(acceptedFrames(NONE)).toBeNull());
  it.each([
    [{ range: '1-5,8' }, 8, 100, true],
    [{ range: '1-5,8' }, 6, 100, false],
    [{ range: 'nonsense' }, 1, 100, false],
    [{ slower: '2.5' }, 1, 2500, false],
    [{ slower: '2.5' }, 1, 2501, true],
    [{ slower: '2.5' }, 1, -1, false],
    [{ worker: 'other' }, 1, 100, false],
    [{ worker: 'w', range: '1' }, 1, 100, true],
  ])('%o frame %d in %d ms', (filter, frame, ms, expected) => expect(passes(filter, frame, ms)).toBe(expected));
});
