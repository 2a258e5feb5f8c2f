// The times that a file of a frame was rendered, to be put side by side.
import type { FrameAttempt } from '@/api/types';
import { engineText } from './frames';
import { parseTime } from './times';
import { durationText, sizeText } from './units';

/** The attempts at one file, the newest first. */
export function attemptsOf(attempts: readonly FrameAttempt[], file: number | undefined): FrameAttempt[] {
  return attempts.filter((attempt) => attempt.file === file).sort((a, b) => b.attempt - a.attempt || parseTime(b.rendered_at) - parseTime(a.rendered_at));
}

export interface AttemptRow {
  readonly label: string;
  /** One for each attempt. */
  readonly cells: readonly string[];
  /** Whether they are not all the same. */
  readonly differs: boolean;
}

const FIELDS: readonly [label: string, value: (attempt: FrameAttempt) => string][] = [
  ['Render time', (attempt) => durationText(attempt.render_ms)],
  ['Saving', (attempt) => durationText(attempt.save_ms)],
  ['Memory', (attempt) => sizeText(attempt.peak_memory)],
  ['File size', (attempt) => sizeText(attempt.file_size)],
  ['Pixels', (attempt) => (attempt.width ? `${attempt.width} × ${attempt.height}` : '–')],
  ['Renderer', (attempt) => engineText(attempt.engine, attempt.samples) || '–'],
  ['Worker', (attempt) => attempt.worker_name ?? 'unknown'],
];

/** What is known of each attempt, field by field. */
export function attemptRows(attempts: readonly FrameAttempt[]): AttemptRow[] {
  return FIELDS.map(([label, value]) => {
    const cells = attempts.map(value);
    return { label, cells, differs: new Set(cells).size > 1 };
  });
}
