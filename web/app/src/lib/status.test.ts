import { describe, expect, it } from 'vitest';
import { farmStatusClass, percent, progressOf, statusClass, statusLabel, statusRank, statusShape } from './status';

describe('status looks', () => {
  it.each([
    ['active', 'dot', 'status-active', 'Active'],
    ['awake', 'dot', 'status-awake', 'Awake'],
    ['queued', 'ring', 'status-queued', 'Queued'],
    ['requeueing', 'ring', 'status-requeueing', 'Requeueing'],
    ['pause-requested', 'bar', 'status-pause-requested', 'Pause requested'],
    ['asleep', 'bar', 'status-asleep', 'Asleep'],
    ['soft-failed', 'diamond', 'status-soft-failed', 'Soft failed'],
    ['error', 'diamond', 'status-error', 'Error'],
    ['completed', 'square', 'status-completed', 'Completed'],
    ['offline', 'square', 'status-offline', 'Offline'],
    ['from-the-future', 'ring', 'status-unknown', 'From the future'],
  ])('%s', (status, shape, cssClass, label) => {
    expect(statusShape(status)).toBe(shape);
    expect(statusClass(status)).toBe(cssClass);
    expect(statusLabel(status)).toBe(label);
  });

  it('what runs comes before what waits, what failed before what is over', () => {
    const sorted = ['completed', 'nonsense', 'failed', 'queued', 'active'].sort((a, b) => statusRank(a) - statusRank(b));
    expect(sorted).toEqual(['active', 'queued', 'failed', 'completed', 'nonsense']);
  });

  it('the farm borrows its colours', () => {
    expect(farmStatusClass('inoperative')).toBe('status-error');
    expect(farmStatusClass('idle')).toBe('status-awake');
  });
});

describe('progress', () => {
  it.each([
    [0, 0, undefined],
    [0, 10, 0],
    [5, 10, 0.5],
    [12, 10, 1],
    [-1, 10, 0],
  ])('%i of %i', (completed, total, expected) => {
    expect(progressOf(completed, total)).toBe(expected);
  });

  it.each([
    [0, 0],
    [0.999, 99],
    [1, 100],
  ])('%d is %i %%', (progress, expected) => {
    expect(percent(progress)).toBe(expected);
  });
});
