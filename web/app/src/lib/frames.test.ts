import { describe, expect, it } from 'vitest';
import type { FramePlace, JobFrame } from '@/api/types';
import {
  engineText, fileRow, formatFrames, framesAtWork, framesCsv, frameTimes, isRendered, isTrouble, neighbourOf, outputNames, parseFrames, placeRow, tellsOfFiles,
  type FrameRow,
} from './frames';

describe('ranges of frames', () => {
  it.each([
    ['1-3', [1, 2, 3]],
    ['1-3,8', [1, 2, 3, 8]],
    [' 5 , 2 - 3 ', [2, 3, 5]],
    ['3,3,1-4', [1, 2, 3, 4]],
    ['-3--1', [-3, -2, -1]],
    ['-2-1', [-2, -1, 0, 1]],
    ['', []],
    ['7-3', []],
    ['1-x', []],
    ['1,,2', []],
    ['1-999999999', []],
  ])('reads "%s"', (text, numbers) => expect(parseFrames(text)).toEqual(numbers));

  it.each([
    [[1, 2, 3, 8], '1-3,8'],
    [[8, 3, 1, 2, 3], '1-3,8'],
    [[-2, -1, 0], '-2-0'],
    [[5], '5'],
    [[], ''],
  ])('writes %s', (numbers, text) => expect(formatFrames(numbers)).toBe(text));

  it('reads back what it wrote', () => {
    const numbers = [-7, -6, -1, 0, 1, 4, 100];
    expect(parseFrames(formatFrames(numbers))).toEqual(numbers);
  });
});

const PLACE: FramePlace = {
  frame: 12,
  state: 'ok',
  files: 1,
  id: 4,
  task: 't',
  worker: 'w',
  render_ms: 1500,
  rendered_at: '2026-01-01T00:00:00Z',
  attempt: 2,
  thumbnail: { small: '/s.jpg', large: '/l.jpg' },
};
const FILE: JobFrame = {
  id: 4,
  task: 't',
  frame: 12,
  name: '000012.png',
  path: '/r/000012.png',
  state: 'ok',
  attempt: 2,
  rendered_at: '2026-01-01T00:00:00Z',
  worker_name: 'render-01',
  file_size: 99,
};

describe('rows', () => {
  it('a place tells of a frame what a contact sheet needs', () => {
    expect(placeRow(PLACE, 'Render-01')).toMatchObject({
      id: '12', frame: 12, status: 'ok', search: '12 render-01', renderMs: 1500, thumb: '/s.jpg', picture: '/l.jpg', fileSize: -1, name: '',
    });
  });

  it('a frame that is to come has nothing', () => {
    const row = placeRow({ frame: 3, state: 'expected', files: 0 }, '');
    expect(row).toMatchObject({ status: 'expected', renderMs: -1, updated: 0, thumb: '', picture: '', fileId: 0 });
  });

  it('a large picture that made room is replaced by the small one', () => {
    expect(placeRow({ ...PLACE, thumbnail: { small: '/s.jpg' } }, '').picture).toBe('/s.jpg');
  });

  it('a file tells the rest, and a time that nobody told stays unknown', () => {
    expect(fileRow(FILE, 1)).toMatchObject({ name: '000012.png', fileSize: 99, renderMs: -1, peakMemory: -1, search: '12 render-01 000012.png' });
  });
});

describe('states', () => {
  it.each([
    ['ok', true, false],
    ['black', true, true],
    ['different-size', true, true],
    ['failed', true, true],
    ['expected', false, false],
    ['rendering', false, false],
  ] as const)('%s', (state, rendered, trouble) => {
    expect(isRendered(state)).toBe(rendered);
    expect(isTrouble(state)).toBe(trouble);
  });
});

describe('render times', () => {
  const rows = (...times: number[]) => times.map((renderMs) => ({ renderMs }));

  it('leaves out what is not known', () => {
    expect(frameTimes(rows(-1, 10, 30, -1, 20))).toMatchObject({ timed: 3, least: 10, median: 20, mean: 20, most: 30, sum: 60 });
  });
  it('takes the middle of two', () => expect(frameTimes(rows(10, 20, 30, 40))?.median).toBe(25));
  it('95 of 100 are not above the 95th percentile', () => {
    expect(frameTimes(rows(...Array.from({ length: 100 }, (_, index) => index + 1)))?.p95).toBe(95);
  });
  it('is nothing without any', () => expect(frameTimes(rows(-1))).toBeNull());
});

describe('outputs', () => {
  it.each([
    [['/r/sh010/####.png'], ['####.png']],
    [['/r/beauty/####.png', '/r/alpha/####.png'], ['beauty/####.png', 'alpha/####.png']],
    [['S:\\r\\a####.png', 'S:\\r\\b####.png'], ['a####.png', 'b####.png']],
    [['/a/x/####.png', '/b/x/####.png', '/a/y/####.png'], ['a/x/####.png', 'b/x/####.png', 'a/y/####.png']],
    [[], []],
  ])('%o', (outputs, names) => expect([...outputNames(outputs).values()]).toEqual(names));
});

describe('the neighbour of a frame', () => {
  const rows = [{ frame: 9, picture: '/9' }, { frame: -2, picture: '/-2' }, { frame: 5, picture: '' }, { frame: 3, picture: '/3' }, { frame: 7, picture: '/7' }];
  it.each([
    [7, 'before', 3],
    [7, 'after', 9],
    [3, 'before', -2],
    [5, 'after', 7],
    [-2, 'before', undefined],
    [9, 'after', undefined],
  ] as const)('%d %s', (frame, side, expected) => expect(neighbourOf(rows, frame, side)?.frame).toBe(expected));
});

describe('what is being rendered', () => {
  const row = (frame: number, task: string, percent = -1, status: FrameRow['status'] = 'rendering') => ({ id: String(frame), frame, task, percent, status });
  it.each<[string, ReturnType<typeof row>[], string[]]>([
    ['one frame of each task, as its worker tells', [row(1, 'a', -1, 'ok'), row(2, 'a'), row(3, 'a', 40), row(7, 'b', 0), row(8, 'b')], ['3', '7']],
    ['the first that is not there yet when nobody tells', [row(3, 'a'), row(2, 'a'), row(1, 'a', -1, 'ok'), row(4, 'a', -1, 'expected')], ['2']],
    ['the later one of two that were told: the other waits to be reported', [row(2, 'a', 90), row(3, 'a', 10), row(4, 'a')], ['3']],
    ['nothing when all is done', [row(1, 'a', -1, 'ok'), row(2, 'a', 50, 'failed')], []],
  ])('%s', (_, rows, expected) => expect([...framesAtWork(rows)].sort()).toEqual(expected));

  it.each<[string | undefined, number | undefined, string]>([
    ['CYCLES', 128, 'Cycles, 128 samples'],
    ['BLENDER_EEVEE_NEXT', 1, 'EEVEE, 1 sample'],
    ['BLENDER_WORKBENCH', undefined, 'Workbench'],
    ['RENDERMAN', -1, 'RENDERMAN'],
    ['constructor', undefined, 'constructor'],
    ['', 4096, '4,096 samples'],
    [undefined, undefined, ''],
  ])('the renderer %s with %s samples is "%s"', (engine, samples, text) => expect(engineText(engine, samples)).toBe(text));

  it('an event about progress only is no reason to read anything again', () => {
    expect(tellsOfFiles({ job: 'j', frames: [], refresh: false, progress: [{ frame: 1, percent: 2 }] })).toBe(false);
    expect(tellsOfFiles({ job: 'j', frames: [], refresh: true })).toBe(true);
    expect(tellsOfFiles({ job: 'j', frames: [FILE], refresh: false })).toBe(true);
  });
});

describe('CSV', () => {
  it('has a header, empty cells for what is unknown, and quotes where they are needed', () => {
    const rows = [fileRow({ ...FILE, path: '/r/a "b", c.png', engine: 'CYCLES', samples: 128 }, 1)];
    expect(framesCsv(rows).split('\r\n')).toEqual([
      'frame,state,name,path,output,worker,rendered_at,render_ms,save_ms,peak_memory,file_size,width,height,attempt,engine,samples,message',
      '12,ok,000012.png,"/r/a ""b"", c.png",,render-01,2026-01-01T00:00:00.000Z,,,,99,,,2,CYCLES,128,',
      '',
    ]);
  });
  it('a name that begins like a formula is text', () => {
    expect(framesCsv([fileRow({ ...FILE, name: '=1+1' }, 1)])).toContain(",'=1+1,");
  });
  it('negative frame numbers stay numbers', () => expect(framesCsv([fileRow({ ...FILE, frame: -3 }, 1)])).toContain('\r\n-3,'));
});
