// The end of what a worker logs about itself: what was read, and what comes after it. Pure.
import type { WorkerLog, WorkerLogUpdate } from '@/api/types';

/** As many lines as the manager keeps. */
export const MOST_LINES = 200;

export interface LogTail {
  readonly lines: readonly string[];
  /** How many lines the manager has had of the worker. */
  readonly total: number;
  /** Number of the first line, so that lines keep their identity as older ones go. */
  readonly first: number;
}

export function tailOf({ lines, total }: WorkerLog): LogTail {
  return { lines, total, first: total - lines.length };
}

/** The tail with new lines at its end; `undefined` when some in between are missing, and it has to be read again. */
export function withUpdate(tail: LogTail, update: WorkerLogUpdate): LogTail | undefined {
  const before = update.total - update.lines.length;
  if (update.total <= tail.total && !update.anew) {
    // What was read already is told once more; a manager that started again counts from the beginning.
    return before >= tail.first ? tail : undefined;
  }
  if (update.anew) return { lines: update.lines, total: update.total, first: before };
  if (before > tail.total) return undefined;
  const lines = [...tail.lines, ...update.lines.slice(tail.total - before)].slice(-MOST_LINES);
  return { lines, total: update.total, first: update.total - lines.length };
}
