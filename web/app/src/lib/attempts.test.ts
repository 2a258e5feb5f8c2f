import { describe, expect, it } from 'vitest';
import type { FrameAttempt } from '@/api/types';
import { attemptRows, attemptsOf } from './attempts';

const attempt = (file: number, number: number, more: Partial<FrameAttempt> = {}): FrameAttempt => ({
  file, attempt: number, state: 'ok', rendered_at: `2026-01-01T00:00:0${number}Z`, ...more,
});

describe('attempts', () => {
  it('are those at one file, the newest first', () => {
    const all = [attempt(1, 1), attempt(2, 1), attempt(1, 2)];
    expect(attemptsOf(all, 1).map((one) => one.attempt)).toEqual([2, 1]);
    expect(attemptsOf(all, undefined)).toEqual([]);
  });

  it('stand side by side, and say where they differ', () => {
    const rows = attemptRows([
      attempt(1, 2, { render_ms: 2400, worker_name: 'render-01', width: 1920, height: 1080 }),
      attempt(1, 1, { render_ms: 840, worker_name: 'render-01', width: 1920, height: 1080 }),
    ]);
    expect(rows.find(({ label }) => label === 'Render time')).toEqual({ label: 'Render time', cells: ['2.4 s', '840 ms'], differs: true });
    expect(rows.find(({ label }) => label === 'Pixels')).toEqual({ label: 'Pixels', cells: ['1920 × 1080', '1920 × 1080'], differs: false });
    expect(rows.find(({ label }) => label === 'Memory')?.cells).toEqual(['–', '–']);
  });
});
