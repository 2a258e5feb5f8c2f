import { describe, expect, it } from 'vitest';
import { acceptedFrames, NO_FILTER as NONE, readFrameFilter, writeFrameFilter } from './frameFilter';
import { placeRow } from './frames';

const row = (frame: number, render_ms: number, worker = 'w') => placeRow({ frame, state: 'ok', files: 1, render_ms, worker }, '');

describe('the filter in the address', () => {
  it('is read and written, and leaves other parameters alone', () => {
    const filter = { range: '1-5', slower: '2.5', worker: 'w1', output: '/r/##.png' };
    const query = writeFrameFilter(filter, { view: 'table', range: '9' });
    expect(query).toEqual({ view: 'table', range: '1-5', slower: '2.5', worker: 'w1', output: '/r/##.png' });
    expect(readFrameFilter({ range: '1-5', slower: '2.5', worker: 'w1', output: '/r/##.png' })).toEqual(filter);
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
  it('of an output its files, and what is still to come', () => {
    const accepts = acceptedFrames({ ...NONE, output: '/r/##.png' })?.accepts;
    expect(accepts?.({ ...row(1, 1), output: '/r/##.png' })).toBe(true);
    expect(accepts?.({ ...row(1, 1), output: '/other/##.png' })).toBe(false);
    expect(accepts?.(placeRow({ frame: 2, state: 'expected', files: 0 }, ''))).toBe(true);
  });
});
