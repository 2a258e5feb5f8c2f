import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveFeed, retryDelay } from './feed';
import { FakeSocket } from './fakeSocket';

describe('LiveFeed', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('reads after the manager has confirmed, not before', async () => {
    const socket = new FakeSocket();
    const feed = new LiveFeed(socket);
    const read = vi.fn();
    feed.subscribe('allJobs', undefined, read);
    expect(socket.sent).toEqual([]);
    socket.open();
    expect(socket.sent).toEqual(['subscribe allJobs']);
    expect(read).not.toHaveBeenCalled();
    socket.confirm();
    expect(read).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(5000);
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('subscribes and reads again after each reconnection', () => {
    const socket = new FakeSocket();
    const feed = new LiveFeed(socket);
    const [read, back] = [vi.fn(), vi.fn()];
    feed.onReconnect(back);
    feed.subscribe('job', 'j1', read);
    socket.open();
    socket.confirm();
    expect(back).not.toHaveBeenCalled();
    socket.close(true);
    expect(feed.state.value).toBe('lost');
    socket.open();
    socket.confirm();
    expect(feed.state.value).toBe('connected');
    expect(socket.sent).toEqual(['subscribe job j1', 'subscribe job j1']);
    expect(read).toHaveBeenCalledTimes(2);
    expect(back).toHaveBeenCalledTimes(1);
  });

  it('shares one subscription among holders and ends it with the last', async () => {
    const socket = new FakeSocket();
    const feed = new LiveFeed(socket);
    socket.open();
    const endFirst = feed.subscribe('job', 'j1', () => {});
    socket.confirm();
    const second = vi.fn();
    const endSecond = feed.subscribe('job', 'j1', second);
    await vi.advanceTimersByTimeAsync(0);
    expect(second).toHaveBeenCalledTimes(1);
    endFirst();
    expect(socket.sent).toEqual(['subscribe job j1']);
    endSecond();
    expect(socket.sent).toEqual(['subscribe job j1', 'unsubscribe job j1']);
  });

  it('reads all the same when no connection can be made', async () => {
    const read = vi.fn();
    new LiveFeed(new FakeSocket()).subscribe('allJobs', undefined, read);
    await vi.advanceTimersByTimeAsync(999);
    expect(read).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2);
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('connects again by itself when the manager closed the connection', async () => {
    const socket = new FakeSocket();
    new LiveFeed(socket);
    socket.open();
    socket.close(false);
    expect(socket.connects).toBe(0);
    await vi.advanceTimersByTimeAsync(251);
    expect(socket.connects).toBe(1);
  });

  it('passes events on until told to stop', () => {
    const socket = new FakeSocket();
    const feed = new LiveFeed(socket);
    const seen = vi.fn();
    const stop = feed.on('/tasklog', seen);
    socket.receive('/tasklog', { task_id: 't', log: 'line\n' });
    stop();
    socket.receive('/tasklog', { task_id: 't', log: 'more\n' });
    expect(seen).toHaveBeenCalledTimes(1);
  });
});

describe('retryDelay', () => {
  it.each([
    [0, 0, 125],
    [0, 1, 250],
    [3, 1, 2000],
    [7, 1, 30_000],
    [99, 0.5, 22_500],
  ])('attempt %i, random %d: %i ms', (attempt, random, expected) => {
    expect(retryDelay(attempt, random)).toBe(expected);
  });
});
