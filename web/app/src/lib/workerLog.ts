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

export type OwnLogLevel = 'error' | 'warning' | 'plain';

/** A line of the worker's own log: time, level, text. */
export interface OwnLogLine {
  readonly key: number;
  /** As the worker's clock showed it, "14:05:31"; empty for a line that goes on with the one before. */
  readonly clock: string;
  readonly time: string;
  readonly level: OwnLogLevel;
  readonly text: string;
}

const LINE = /^(\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)\S*)\s+(ERROR|WARN|INFO|DEBUG|TRACE)\s(.*)$/s;

export function ownLogLine(line: string, key: number): OwnLogLine {
  const [, time, clock, word, text] = LINE.exec(line) ?? [];
  const level = word === 'ERROR' ? 'error' : word === 'WARN' ? 'warning' : 'plain';
  return { key, clock: clock ?? '', time: time ?? '', level, text: text ?? line };
}
