// What a worker reports of its machine, as numbers to show: how full, how busy, and how old the report is. Pure.
import type { MachineDisk, MachineSample, WorkerMachine } from '@/api/types';

/** After this age a report is shown as old, and after that as no report at all. In milliseconds. */
const STALE_AFTER = 15_000;
const GONE_AFTER = 60_000;
/** Points of a sparkline: five minutes at the usual pace of a report every 5 seconds. */
export const TRAIL = 60;
/** A clock that is further off than this makes times in logs and pictures wrong. In milliseconds. */
const CLOCK_LIMIT = 5000;
const DISK_WARNING = 90;
const DISK_ALARM = 97;
const MEMORY_WARNING = 95;
/** Reports in 30 s and in 2 min, at the usual pace. */
const MEMORY_REPORTS = 6;
const IDLE_REPORTS = 24;
/** A renderer that uses less of a processor, in percent, does nothing. */
const IDLE = 5;

export type Freshness = 'live' | 'stale' | 'gone';
export type Strain = 'fine' | 'warning' | 'alarm';

/** The last report of a machine, and a little of what came before it. Never changed, only replaced. */
export interface Reading {
  /** When the report came, by the clock of this browser, in milliseconds. */
  readonly heardAt: number;
  /** Shares from 0 to 100; `undefined` where the worker does not tell. */
  readonly cpu: number | undefined;
  readonly memory: number | undefined;
  /** Use of each processor, 0 to 100; empty where the worker does not tell. */
  readonly cores: readonly number[];
  /** The fullest of the disks that matter to the worker. */
  readonly disk: number | undefined;
  readonly gpu: number | undefined;
  readonly load: number | undefined;
  /** Load averages over 1, 5 and 15 minutes, as far as the system has them. */
  readonly loads: readonly number[];
  /** Use of the processors by the running task, 100 for each of them, and its memory in bytes. */
  readonly taskCpu: number | undefined;
  readonly taskMemory: number | undefined;
  /** How many reports in a row were of a machine with a running task, up to what matters. */
  readonly taskReports: number;
  /** In bytes. */
  readonly memoryUsed: number;
  readonly memoryTotal: number;
  readonly swapUsed: number;
  readonly swapTotal: number;
  readonly disks: readonly MachineDisk[];
  /** Whether the manager gives it no new tasks because a disk is too full. */
  readonly noRoom: boolean;
  /** How far the worker's clock is ahead of the manager's, in milliseconds. */
  readonly clockOffset: number;
  readonly cpuTrail: readonly number[];
  readonly memoryTrail: readonly number[];
}

/** What a report says. A part that it does not have is taken from the report before. */
export function readMachine(report: WorkerMachine, heardAt: number, before: Reading | null): Reading {
  const { load, state } = report;
  const disks = state?.disks ?? before?.disks ?? [];
  const memory = load ? share(load.memory_used, load.memory_total) : before?.memory;
  const gpus = (load?.gpus ?? []).flatMap((gpu) => (gpu.use_percent === undefined ? [] : [gpu.use_percent]));
  return {
    heardAt,
    cpu: load?.cpu_percent ?? before?.cpu,
    memory,
    cores: load ? (load.cores_percent ?? []) : (before?.cores ?? []),
    disk: fullest(disks),
    gpu: gpus.length > 0 ? Math.max(...gpus) : load ? undefined : before?.gpu,
    load: load ? load.load_1 : before?.load,
    loads: load ? [load.load_1, load.load_5, load.load_15].flatMap((one) => one ?? []) : (before?.loads ?? []),
    taskCpu: load ? load.task_cpu_percent : before?.taskCpu,
    taskMemory: load ? load.task_memory : before?.taskMemory,
    taskReports: load ? taskReports(load.task_cpu_percent, before) : (before?.taskReports ?? 0),
    memoryUsed: load?.memory_used ?? before?.memoryUsed ?? 0,
    memoryTotal: load?.memory_total ?? before?.memoryTotal ?? 0,
    swapUsed: load ? (load.swap_used ?? 0) : (before?.swapUsed ?? 0),
    swapTotal: load ? (load.swap_total ?? 0) : (before?.swapTotal ?? 0),
    disks,
    noRoom: report.no_room ?? false,
    clockOffset: report.clock_offset_ms,
    cpuTrail: longer(before?.cpuTrail ?? [], load?.cpu_percent),
    memoryTrail: longer(before?.memoryTrail ?? [], load && memory),
  };
}

function taskReports(taskCpu: number | undefined, before: Reading | null): number {
  return taskCpu === undefined ? 0 : Math.min(IDLE_REPORTS, (before?.taskReports ?? 0) + 1);
}

function longer(trail: readonly number[], value: number | undefined): readonly number[] {
  return value === undefined ? trail : [...trail.slice(1 - TRAIL), value];
}

/** A reading with what its machine did before this page was there; what the page has seen itself comes after it. */
export function withPast(reading: Reading, samples: readonly MachineSample[]): Reading {
  const missing = TRAIL - reading.cpuTrail.length;
  // The newest samples are those that the page has seen.
  const past = samples.slice(0, samples.length - reading.cpuTrail.length).slice(-missing);
  if (missing <= 0 || past.length === 0) return reading;
  return {
    ...reading,
    cpuTrail: [...past.map((sample) => sample.cpu_percent), ...reading.cpuTrail],
    memoryTrail: [...past.map((sample) => share(sample.memory_used, sample.memory_total) ?? 0), ...reading.memoryTrail],
  };
}

/** How full something is, 0 to 100; `undefined` when there is none of it. */
export function share(used: number, total: number): number | undefined {
  return total > 0 ? Math.min(100, (used / total) * 100) : undefined;
}

function fullest(disks: readonly MachineDisk[]): number | undefined {
  const shares = disks.flatMap((disk) => share(disk.used, disk.total) ?? []);
  return shares.length > 0 ? Math.max(...shares) : undefined;
}

export function freshness(heardAt: number, now: number): Freshness {
  const age = now - heardAt;
  if (age > GONE_AFTER) return 'gone';
  return age > STALE_AFTER ? 'stale' : 'live';
}

export function diskStrain(percent: number): Strain {
  if (percent >= DISK_ALARM) return 'alarm';
  return percent >= DISK_WARNING ? 'warning' : 'fine';
}

export function memoryStrain(percent: number): Strain {
  return percent >= MEMORY_WARNING ? 'warning' : 'fine';
}

/** What a person should look after on a machine, in sentences. `rendering`: whether it has a task that renders. */
export function machineWarnings(reading: Reading, rendering = false): string[] {
  const disks = reading.disks.flatMap((disk) => {
    const percent = share(disk.used, disk.total) ?? 0;
    if (diskStrain(percent) === 'fine') return [];
    return [`The disk of ${disk.path} is ${Math.floor(percent)} % full: ${bytes(disk.total - disk.used)} are left.`];
  });
  if (reading.noRoom) disks.push('It gets no new tasks until there is room on its disks.');
  return [...new Set([...disks, ...machineTroubles(reading, rendering)])];
}

/** The same without what is about its disks. */
export function machineTroubles(reading: Reading, rendering = false): string[] {
  const warnings: string[] = [];
  // A moment is nothing: a frame that begins may need a lot for a second.
  if (reading.memory !== undefined && lasts(reading.memoryTrail, MEMORY_REPORTS, (value) => memoryStrain(value) !== 'fine')) {
    warnings.push(`${Math.floor(reading.memory)} % of the memory are in use.`);
  }
  const idle = lasts(reading.cpuTrail, IDLE_REPORTS, (value) => value < IDLE) && (reading.gpu ?? 0) < IDLE;
  // Not of a machine that had nothing to do before, and has just got a task.
  if (rendering && idle && reading.taskReports >= IDLE_REPORTS) warnings.push('It renders, and did next to nothing in the last 2 minutes: it may be stuck.');
  if (Math.abs(reading.clockOffset) > CLOCK_LIMIT) {
    const seconds = Math.round(Math.abs(reading.clockOffset) / 1000);
    warnings.push(`Its clock is ${seconds} s ${reading.clockOffset > 0 ? 'ahead of' : 'behind'} that of the manager.`);
  }
  return warnings;
}

/** Whether the newest so many values are all so. */
function lasts(trail: readonly number[], count: number, isSo: (value: number) => boolean): boolean {
  return trail.length >= count && trail.slice(-count).every(isSo);
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** "512 B", "9.8 GB", "128 GB": steps of 1024, as memory is sold. */
export function bytes(count: number): string {
  let [value, unit] = [Math.max(0, count), 0];
  while (value >= 1023.5 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** "3 d 4 h", "4 h 5 min", "12 min". `seconds` since the machine was switched on. */
export function uptime(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
}

/** Points of a polyline in a box of `width` by `height`, the newest at the right edge. */
export function sparkline(values: readonly number[], width: number, height: number): string {
  const step = width / (TRAIL - 1);
  const left = width - (values.length - 1) * step;
  return values
    .map((value, place) => `${(left + place * step).toFixed(1)},${(height - (Math.min(100, value) / 100) * height).toFixed(1)}`)
    .join(' ');
}
