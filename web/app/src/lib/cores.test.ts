import { describe, expect, it } from 'vitest';
import { coreLayout, coresText, heatStep, longerTrails } from './cores';
import { TRAIL } from './machines';

describe('the processors of a machine', () => {
  it('have a line each, or only a bar when there are many', () => {
    expect([1, 2, 32, 33, 128].map(coreLayout)).toEqual(['lines', 'lines', 'lines', 'bars', 'bars']);
  });

  it('are told in a sentence', () => {
    expect(coresText([100, 90, 89.9, 10, 9.9, 0])).toBe('6 cores: 2 busy, 2 in between, 2 idle');
    expect(coresText([50])).toBe('1 core: 1 in between');
  });

  it('have trails that grow to what is drawn, and begin anew on another machine', () => {
    let trails = longerTrails([], [1, 2]);
    trails = longerTrails(trails, [3, 4]);
    expect(trails).toEqual([[1, 3], [2, 4]]);
    for (let n = 0; n < TRAIL + 5; n++) trails = longerTrails(trails, [n, n]);
    expect(trails[0]).toHaveLength(TRAIL);
    expect(longerTrails(trails, [7])).toEqual([[7]]);
  });

  it('are the darker the busier they are', () => {
    expect([0, 19, 20, 79, 80, 100, 140, -1].map(heatStep)).toEqual([0, 0, 1, 3, 4, 4, 4, 0]);
  });
});
