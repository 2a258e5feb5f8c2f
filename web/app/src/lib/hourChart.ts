// Frames and load by hour as bars. Pure geometry in a box of 100 × 100; the component draws it.
import type { components } from '@/api/schema.gen';
import { parseTime } from './times';

type Period = components['schemas']['FramePeriod'];
type LoadPeriod = components['schemas']['FarmMachinePeriod'];

/** A bar of a chart of hours. */
export interface Bar {
  readonly at: number;
  readonly x: number;
  readonly width: number;
  readonly height: number;
  /** What stands on top of it, in another colour. */
  readonly failedHeight: number;
  /** "14:00", for every sixth hour. */
  readonly label: string;
}

export interface HourBar extends Bar {
  readonly frames: number;
  readonly failures: number;
}

export interface LoadBar extends Bar {
  /** Undefined for an hour in which no worker reported. */
  readonly percent: number | undefined;
  readonly workers: number;
}

const HOUR = 3_600_000;

/** Where a bar of so many stands, and its label. */
function place(at: number, index: number, count: number): Pick<Bar, 'at' | 'x' | 'width' | 'label'> {
  const step = 100 / Math.max(1, count);
  const hour = new Date(at).getHours();
  const label = hour % 6 === 0 ? `${String(hour).padStart(2, '0')}:00` : '';
  return { at, x: index * step + step * 0.12, width: step * 0.76, label };
}

/** How busy the machines were in each of the last 24 hours. */
export function loadBars(periods: readonly LoadPeriod[], now: number): LoadBar[] {
  const known = new Map(periods.map((one) => [parseTime(one.from), one]));
  const last = Math.floor(now / HOUR) * HOUR;
  return Array.from({ length: 24 }, (_, index) => {
    const at = last - (23 - index) * HOUR;
    const period = known.get(at);
    const percent = period?.cpu_percent;
    return { ...place(at, index, 24), percent, workers: period?.workers ?? 0, height: Math.min(100, percent ?? 0), failedHeight: 0 };
  });
}

export function hourBars(periods: readonly Period[]): { bars: HourBar[]; top: number; total: number } {
  const most = Math.max(0, ...periods.map((one) => one.frames + one.failures));
  const top = niceTop(most);
  const bars = periods.map((one, index) => ({
    ...place(parseTime(one.from), index, periods.length),
    frames: one.frames,
    failures: one.failures,
    height: (100 * one.frames) / top,
    failedHeight: (100 * one.failures) / top,
  }));
  return { bars, top, total: periods.reduce((sum, one) => sum + one.frames, 0) };
}

/** The next round number at or above. */
export function niceTop(value: number): number {
  if (value <= 5) return 5;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((one) => one * power >= value) ?? 10) * power;
}

/** How many frames came out since midnight, where the page is looked at. */
export function framesToday(periods: readonly Period[], now: number): number {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  return periods.reduce((sum, one) => (parseTime(one.from) >= midnight ? sum + one.frames : sum), 0);
}
