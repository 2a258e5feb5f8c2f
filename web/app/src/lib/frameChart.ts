// The chart of render times: one bar for each frame, in the order of the frames. Pure geometry; the component draws it.
import type { FrameRow } from './frames';

export interface Bar {
  readonly row: FrameRow;
  /** Left edge and width in pixels. */
  readonly x: number;
  readonly width: number;
  /** Share of the height, from 0 to 1; `undefined` when the time is not known. */
  readonly share: number | undefined;
}

/** The top of the scale: the largest time, or less when a few frames are so slow that they would flatten all others. */
export function scaleTop(times: readonly number[]): number {
  if (times.length === 0) return 1;
  const sorted = [...times].sort((a, b) => a - b);
  const most = sorted.at(-1) ?? 1;
  const usual = sorted[Math.floor(sorted.length * 0.98)] ?? most;
  return Math.max(1, most > 4 * usual ? 2 * usual : most);
}

export function barsOf(rows: readonly FrameRow[], width: number): { bars: Bar[]; top: number } {
  const top = scaleTop(rows.flatMap((row) => (row.renderMs >= 0 ? [row.renderMs] : [])));
  const step = rows.length === 0 ? 0 : width / rows.length;
  const gap = step > 4 ? 1 : 0;
  const bars = rows.map((row, index) => ({
    row,
    x: index * step,
    width: Math.max(1, Math.min(step - gap, 48)),
    share: row.renderMs < 0 ? undefined : Math.min(1, row.renderMs / top),
  }));
  return { bars, top };
}

/** Index of the bar below a pixel; -1 when there is none. */
export function barAt(x: number, count: number, width: number): number {
  if (count === 0 || width <= 0) return -1;
  return Math.min(count - 1, Math.max(0, Math.floor((x / width) * count)));
}

const STEPS = [1, 2, 5];

/** Round values for the lines of a scale from 0 to `top`, about `wanted` of them. */
export function scaleLines(top: number, wanted: number): number[] {
  const rough = top / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = (STEPS.find((one) => 1.2 * one * power >= rough) ?? 10) * power;
  const lines: number[] = [];
  for (let value = step; value <= top; value += step) lines.push(value);
  return lines;
}

/** Workers in the order of their names, each with a place on the circle of colours: neighbours in the list are far apart on it. */
export function workerHues(rows: Iterable<Pick<FrameRow, 'worker' | 'workerName'>>): { readonly id: string; readonly name: string; readonly hue: number }[] {
  const names = new Map<string, string>();
  for (const { worker, workerName } of rows) if (worker !== '') names.set(worker, workerName || worker);
  const sorted = [...names].sort(([, a], [, b]) => a.localeCompare(b, undefined, { numeric: true }));
  // The golden angle never comes back to where it was.
  return sorted.map(([id, name], place) => ({ id, name, hue: Math.round(210 + place * 137.508) % 360 }));
}
