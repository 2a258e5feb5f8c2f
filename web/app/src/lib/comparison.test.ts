import { describe, expect, it } from 'vitest';
import { jobsOfShot, pictureFor, placeIn, stageAreas } from './comparison';

describe('the stage', () => {
  it('is shared by two pictures along its longer side', () => {
    expect(stageAreas('side', 200, 100)).toEqual([{ x: 0, y: 0, width: 100, height: 100 }, { x: 100, y: 0, width: 100, height: 100 }]);
    expect(stageAreas('side', 100, 300)).toEqual([{ x: 0, y: 0, width: 100, height: 150 }, { x: 0, y: 150, width: 100, height: 150 }]);
  });
  it('has a gap between the two', () => {
    expect(stageAreas('side', 210, 100, 10)).toEqual([{ x: 0, y: 0, width: 100, height: 100 }, { x: 110, y: 0, width: 100, height: 100 }]);
  });
  it('is that of both when one is wiped over the other', () => {
    const [one, other] = stageAreas('wipe', 200, 100);
    expect(one).toEqual({ x: 0, y: 0, width: 200, height: 100 });
    expect(other).toEqual(one);
  });
  it.each([
    ['fit' as const, { x: 100, y: 25, width: 100, height: 50 }],
    [1, { x: 140, y: 45, width: 20, height: 10 }],
    [20, { x: -50, y: -50, width: 400, height: 200 }],
  ])('a picture lies in its middle: %s', (scale, expected) => {
    expect(placeIn({ x: 100, y: 0, width: 100, height: 100 }, { width: 20, height: 10 }, scale)).toEqual(expected);
  });
});

describe('the frame of the other job', () => {
  const rows = [{ frame: 1, thumb: '' }, { frame: 2, thumb: '/2' }, { frame: 3, thumb: '' }, { frame: 4, thumb: '/4' }];
  it.each([
    [2, 2, true],
    [3, 2, false],
    [99, 4, false],
    [1, 2, false],
  ])('for %d is %d', (frame, shown, exact) => expect(pictureFor(rows, frame)).toEqual({ row: { frame: shown, thumb: `/${shown}` }, exact }));
  it('is none without pictures', () => expect(pictureFor([{ frame: 1, thumb: '' }], 1)).toBeUndefined());
});

it('jobs of the same shot are those of the same project, the newest first', () => {
  const job = (id: string, shot: string, project: string, created: number) => ({ id, name: id, shot, project, created });
  const here = job('here', 'sh010', 'p', 5);
  const all = [here, job('old', 'sh010', 'p', 1), job('new', 'sh010', 'p', 9), job('other shot', 'sh020', 'p', 3), job('other project', 'sh010', 'q', 3)];
  expect(jobsOfShot(all, here).map(({ id }) => id)).toEqual(['new', 'old']);
});
