// A machine's history as columns of numbers for a chart. Pure.
import type { FarmTask, MachineSample, MachineSpan } from '@/api/types';
import { share } from './machines';
import { parseTime } from './times';

/** Time between two samples of a span, in seconds. */
const STEP: Record<MachineSpan, number> = { recent: 5, day: 60, month: 3600 };
/** Length of a span, in seconds. */
export const LENGTH: Record<MachineSpan, number> = { recent: 15 * 60, day: 24 * 3600, month: 30 * 24 * 3600 };
/** So many missing samples are a gap that is shown as one. */
const MISSING = 3;

/** Numbers by time; null where nothing is known. */
export type Line = (number | null)[];

export interface MachineChart {
  /** In seconds since 1970. */
  readonly times: number[];
  readonly cpu: Line;
  readonly cpuMax: Line;
  readonly memory: Line;
  readonly disk: Line;
  readonly gpu: Line;
  readonly networkIn: Line;
  readonly networkOut: Line;
}

/** The columns of a chart, with a hole where the worker was silent. */
export function machineChart(samples: readonly MachineSample[], span: MachineSpan): MachineChart {
  const chart: MachineChart = { times: [], cpu: [], cpuMax: [], memory: [], disk: [], gpu: [], networkIn: [], networkOut: [] };
  const lines = ['cpu', 'cpuMax', 'memory', 'disk', 'gpu', 'networkIn', 'networkOut'] as const;
  let before = 0;
  for (const sample of samples) {
    const time = parseTime(sample.at) / 1000;
    if (before > 0 && time - before > MISSING * STEP[span]) {
      chart.times.push(before + STEP[span]);
      for (const line of lines) chart[line].push(null);
    }
    chart.times.push(time);
    chart.cpu.push(sample.cpu_percent);
    chart.cpuMax.push(sample.cpu_percent_max);
    chart.memory.push(share(sample.memory_used, sample.memory_total) ?? null);
    chart.disk.push(sample.disk_percent ?? null);
    chart.gpu.push(sample.gpu_percent ?? null);
    chart.networkIn.push(sample.network_in);
    chart.networkOut.push(sample.network_out);
    before = time;
  }
  return chart;
}

/** A moment at which the worker got a task or was done with one, in seconds. */
export interface TaskMark {
  readonly at: number;
  readonly begins: boolean;
}

/** The task changes of a span, oldest first. */
export function taskMarks(tasks: readonly FarmTask[], from: number, to: number): TaskMark[] {
  const marks = tasks.flatMap(({ task }) => [
    { at: parseTime(task.started) / 1000, begins: true },
    { at: parseTime(task.ended) / 1000, begins: false },
  ]);
  return marks.filter(({ at }) => at >= from && at <= to).sort((a, b) => a.at - b.at);
}

/** Whether a line has anything to draw. */
export function hasValues(line: Line): boolean {
  return line.some((value) => value !== null);
}

/** Last, mean and highest value of a line, for those who cannot see it. */
export function lineInWords(label: string, line: Line, format: (value: number) => string): string {
  const known = line.filter((value) => value !== null);
  if (known.length === 0) return `${label}: no data`;
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  return `${label}: ${format(known.at(-1) ?? 0)} at last, ${format(mean)} on average, ${format(Math.max(...known))} at most`;
}
