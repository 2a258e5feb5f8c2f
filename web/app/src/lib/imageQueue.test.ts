import { describe, expect, it, vi } from 'vitest';
import { ImageQueue } from './imageQueue';

describe('ImageQueue', () => {
  it('loads so many at a time, and the next when one is done', () => {
    const queue = new ImageQueue(2);
    const starts = [vi.fn(), vi.fn(), vi.fn()];
    const [done] = starts.map((start) => queue.request(start));
    expect(starts.map((start) => start.mock.calls.length)).toEqual([1, 1, 0]);
    done?.();
    expect(starts[2]).toHaveBeenCalledTimes(1);
  });

  it('does not load what was withdrawn before its turn', () => {
    const queue = new ImageQueue(1);
    const [late, last] = [vi.fn(), vi.fn()];
    const done = queue.request(() => {});
    const withdraw = queue.request(late);
    queue.request(last);
    withdraw();
    done();
    expect(late).not.toHaveBeenCalled();
    expect(last).toHaveBeenCalledTimes(1);
  });

  it('counts one that says twice that it is done only once', () => {
    const queue = new ImageQueue(1);
    const waiting = [vi.fn(), vi.fn()];
    const done = queue.request(() => {});
    for (const start of waiting) queue.request(start);
    done();
    done();
    expect(waiting.map((start) => start.mock.calls.length)).toEqual([1, 0]);
  });
});
