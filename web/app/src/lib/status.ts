// How a status looks. Colour is never the only sign: each family of statuses has a shape of its own.
import type { FarmStatus, JobStatus, TaskStatus, WorkerStatus } from '@/api/types';
import type { FrameStatus } from './frames';

export type AnyStatus = JobStatus | TaskStatus | WorkerStatus | FrameStatus;

/** `dot` runs, `ring` waits for its turn, `bar` is held back, `diamond` is in trouble, `square` has ended. */
export type StatusShape = 'dot' | 'ring' | 'bar' | 'diamond' | 'square';

const SHAPES: Record<AnyStatus, StatusShape> = {
  active: 'dot',
  awake: 'dot',
  testing: 'dot',
  queued: 'ring',
  'under-construction': 'ring',
  requeueing: 'ring',
  starting: 'ring',
  restart: 'ring',
  paused: 'bar',
  'pause-requested': 'bar',
  asleep: 'bar',
  failed: 'diamond',
  'soft-failed': 'diamond',
  error: 'diamond',
  completed: 'square',
  canceled: 'square',
  'cancel-requested': 'square',
  offline: 'square',
  // Frames.
  ok: 'square',
  expected: 'ring',
  rendering: 'dot',
  'different-size': 'bar',
  black: 'bar',
  empty: 'diamond',
  broken: 'diamond',
  missing: 'diamond',
};

/** The shape of a status; a status that this page does not know yet gets the ring of something undecided. */
export function statusShape(status: string): StatusShape {
  return SHAPES[status as AnyStatus] ?? 'ring';
}

/** Name of the CSS class that sets the colour `--status` of a status. */
export function statusClass(status: string): string {
  return status in SHAPES ? `status-${status}` : 'status-unknown';
}

/** A status as words: `pause-requested` reads "Pause requested". */
export function statusLabel(status: string): string {
  if (status === 'ok') return 'OK';
  const words = status.replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

// The order in which filter chips and counts are shown: what needs a person first, what is over last.
const ORDER: AnyStatus[] = [
  'active',
  'rendering',
  'awake',
  'testing',
  'starting',
  'restart',
  'queued',
  'requeueing',
  'under-construction',
  'soft-failed',
  'failed',
  'error',
  'broken',
  'empty',
  'missing',
  'black',
  'different-size',
  'pause-requested',
  'paused',
  'asleep',
  'cancel-requested',
  'canceled',
  'completed',
  'offline',
  'expected',
  'ok',
];

const RANK = new Map<string, number>(ORDER.map((status, index) => [status, index]));

/** Position of a status in lists and in a table sorted by status; unknown ones come last. */
export function statusRank(status: string): number {
  return RANK.get(status) ?? ORDER.length;
}

/** The colour class of the farm's status, borrowed from the worker or job status that means the same. */
export function farmStatusClass(status: FarmStatus): string {
  const same: Record<FarmStatus, AnyStatus> = {
    active: 'active',
    idle: 'awake',
    waiting: 'queued',
    asleep: 'asleep',
    inoperative: 'error',
    starting: 'starting',
    unknown: 'offline',
  };
  return statusClass(same[status] ?? 'offline');
}

/** What share of the steps is done, between 0 and 1; `undefined` when the number of steps is not known. */
export function progressOf(stepsCompleted: number, stepsTotal: number): number | undefined {
  if (stepsTotal <= 0) return undefined;
  return Math.min(1, Math.max(0, stepsCompleted / stepsTotal));
}

/** Whole percents that reach 100 only when everything is done. */
export function percent(progress: number): number {
  return progress >= 1 ? 100 : Math.min(99, Math.floor(progress * 100));
}
