// Frames by hour as bars. Pure geometry in a box of 100 × 100; the component draws it.
import type { components } from '@/api/schema.gen';
import { parseTime } from './times';

type Period = components['schemas']['FramePeriod'];

export interface HourBar {
  readonly at: number;
  readonly frames: number;
  readonly failures: number;
  readonly x: number;
  readonly width: number;
  readonly height: number;
  readonly failedHeight: number;
  /** "14:00", for every sixth hour. */
  readonly label: string;
}

export function hourBars(periods: readonly Period[]): { bars: HourBar[]; top: number; total: number } {
  const most = Math.max(0, ...periods.map((one) => one.frames + one.failures));
  const top = niceTop(most);
  const step = 100 / Math.max(1, periods.length);
  const bars = periods.map((one, index) => {
    const at = parseTime(one.from);
    const hour = new Date(at).getHours();
    return {
      at,
      frames: one.frames,
      failures: one.failures,
      x: index * step + step * 0.12,
      width: step * 0.76,
      height: (100 * one.frames) / top,
      failedHeight: (100 * one.failures) / top,
      label: hour % 6 === 0 ? `${String(hour).padStart(2, '0')}:00` : '',
    };
  });
  return { bars, top, total: periods.reduce((sum, one) => sum + one.frames, 0) };
}

/** The next round number at or above. */
export function niceTop(value: number): number {
  if (value <= 5) return 5;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((one) => one * power >= value) ?? 10) * power;
}
