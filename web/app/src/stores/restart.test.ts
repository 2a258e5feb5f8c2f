import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fakeManager, type FakeManager } from './fakeManager';
import { useRestart } from './restart';

const STATE = 'GET /api/v3/configuration/state';
const RESTART = 'POST /api/v3/configuration/restart';
let manager: FakeManager;
const state = (second: number): { body: unknown } => ({ body: { started_at: `2026-01-01T00:00:0${second}Z`, platform: 'linux', settings: [] } });

beforeEach(() => {
  vi.useFakeTimers();
  setActivePinia(createPinia());
  manager = fakeManager();
  manager.answer(STATE, state(1));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('restarting the manager', () => {
  it('waits until it has started again, also while nobody answers', async () => {
    manager.answer(RESTART, {});
    const restart = useRestart();
    const done = restart.restart();
    await vi.advanceTimersByTimeAsync(400);
    expect(restart.phase).toBe('away');
    // It still answers, as it is about to end.
    await vi.advanceTimersByTimeAsync(600);
    manager.answer(STATE, () => Promise.reject(new TypeError('no connection')));
    await vi.advanceTimersByTimeAsync(5000);
    expect(restart.busy).toBe(true);
    manager.answer(STATE, state(7));
    await vi.advanceTimersByTimeAsync(600);
    expect(await done).toBe(true);
    expect([restart.phase, restart.error]).toEqual(['back', null]);
    restart.forget();
    expect(restart.phase).toBe('idle');
  });

  it('says why the manager refuses, and does not wait', async () => {
    manager.answer(RESTART, { status: 409, body: { code: 409, message: 'listen: taken' } });
    const restart = useRestart();
    expect(await restart.restart()).toBe(false);
    expect([restart.phase, restart.error?.message]).toEqual(['idle', 'listen: taken']);
  });

  it('gives up when the manager stays away', async () => {
    manager.answer(RESTART, {});
    const restart = useRestart();
    const done = restart.restart();
    await vi.advanceTimersByTimeAsync(10);
    manager.answer(STATE, () => Promise.reject(new TypeError('no connection')));
    await vi.advanceTimersByTimeAsync(100_000);
    expect(await done).toBe(false);
    expect(restart.error?.unreachable).toBe(true);
  });

  it('asks once, however often it is told to', async () => {
    manager.answer(RESTART, {});
    const restart = useRestart();
    const first = restart.restart();
    expect(await restart.restart()).toBe(false);
    await vi.advanceTimersByTimeAsync(10);
    manager.answer(STATE, state(2));
    await vi.advanceTimersByTimeAsync(600);
    expect(await first).toBe(true);
    expect(manager.asked.filter((line) => line === RESTART)).toHaveLength(1);
  });
});
