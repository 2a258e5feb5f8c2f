// The frames of a job as the pages show them: one row for each number, rendered or not.
import type { FramePlace, FrameUpdate, JobFrame, JobFrameState } from '@/api/types';
import type { GridRow } from './grid/rowTable';
import { naturalKey } from './naturalSort';
import { parseTime } from './times';

export type FrameStatus = JobFrameState;

/** In each number below, -1 says that nobody told. */
export interface FrameRow extends GridRow {
  /** The number of the frame as text. */
  readonly id: string;
  readonly frame: number;
  status: FrameStatus;
  /** What the text filter looks at, in lower case. */
  search: string;
  task: string;
  worker: string;
  workerName: string;
  attempt: number;
  /** How many files the frame has; the fields below are of the newest. */
  files: number;
  /** Identifies the newest file; 0 when there is none. */
  fileId: number;
  /** When it was saved, in milliseconds since 1970; 0 if never. */
  updated: number;
  renderMs: number;
  /** Address of the small picture; empty when there is none. */
  thumb: string;
  /** Address of the large picture. */
  picture: string;
  /** The renderer, as its program calls it; empty when nobody told. */
  engine: string;
  samples: number;
  /** How much of it is done while it is being rendered. */
  percent: number;
  /** The last line of the log of a frame that failed. */
  message: string;
  // What follows is in no list of places: it is known once the files were read.
  name: string;
  nameKey: string;
  path: string;
  /** Which output of the job the newest file belongs to: its path with `#` in place of the number. */
  output: string;
  saveMs: number;
  peakMemory: number;
  fileSize: number;
  width: number;
  height: number;
}

/** The most frames that a range may stand for; beyond it a mistyped range would fill the memory. */
const MOST_EXPECTED = 200_000;

/** The numbers in a range as jobs have it, `1-50,80,-3--1`, in order and each once; empty if it cannot be read. */
export function parseFrames(text: string): number[] {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const found = /^\s*(-?\d+)\s*(?:-\s*(-?\d+)\s*)?$/.exec(part);
    if (!found) return [];
    const from = Number(found[1]);
    const to = found[2] === undefined ? from : Number(found[2]);
    if (to < from || to - from + numbers.size >= MOST_EXPECTED) return [];
    for (let frame = from; frame <= to; frame++) numbers.add(frame);
  }
  return [...numbers].sort((a, b) => a - b);
}

/** The opposite of {@link parseFrames}: numbers in any order as a range, as short as it gets. */
export function formatFrames(numbers: Iterable<number>): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let at = 0; at < sorted.length; ) {
    const first = sorted[at] ?? 0;
    let end = at;
    while (sorted[end + 1] === first + (end - at) + 1) end++;
    parts.push(end === at ? String(first) : `${first}-${sorted[end]}`);
    at = end + 1;
  }
  return parts.join(',');
}

type Place = Omit<FramePlace, 'id'>;

function placeFields(place: Place, workerName: string) {
  return {
    status: place.state,
    search: `${place.frame} ${workerName}`.toLowerCase(),
    task: place.task ?? '',
    worker: place.worker ?? '',
    workerName,
    attempt: place.attempt ?? 0,
    updated: parseTime(place.rendered_at),
    renderMs: place.render_ms ?? -1,
    thumb: place.thumbnail?.small ?? '',
    picture: place.thumbnail?.large ?? place.thumbnail?.small ?? '',
    engine: place.engine ?? '',
    samples: place.samples ?? -1,
    percent: place.progress ?? -1,
    message: place.message ?? '',
  };
}

const UNTOLD = { name: '', nameKey: '', path: '', output: '', saveMs: -1, peakMemory: -1, fileSize: -1, width: -1, height: -1 };

/** The row of a place in the grid. What only its file tells is not in it. */
export function placeRow(place: FramePlace, workerName: string): FrameRow {
  const fields = placeFields(place, workerName);
  return { ...UNTOLD, ...fields, id: String(place.frame), frame: place.frame, files: place.files, fileId: place.id ?? 0, rev: 0 };
}

/** The row of a frame whose newest file is `file`. */
export function fileRow(file: JobFrame, files: number): FrameRow {
  const fields = placeFields({ ...file, files }, file.worker_name ?? '');
  return {
    ...fields,
    id: String(file.frame),
    frame: file.frame,
    files,
    fileId: file.id,
    search: `${fields.search} ${file.name}`.toLowerCase(),
    name: file.name,
    nameKey: naturalKey(file.name),
    path: file.platform_path ?? file.path,
    output: file.output ?? '',
    saveMs: file.save_ms ?? -1,
    peakMemory: file.peak_memory ?? -1,
    fileSize: file.file_size ?? -1,
    width: file.width ?? -1,
    height: file.height ?? -1,
    rev: 0,
  };
}

/** Outputs by a name that tells them apart: the last part of the path, with as many parts before it as that takes. */
export function outputNames(outputs: readonly string[]): Map<string, string> {
  const parts = outputs.map((output) => output.split(/[\\/]/));
  const longest = Math.max(1, ...parts.map((one) => one.length));
  for (let count = 1; ; count++) {
    const names = parts.map((one) => one.slice(-count).join('/'));
    if (new Set(names).size === outputs.length || count >= longest) return new Map(outputs.map((output, place) => [output, names[place] ?? output]));
  }
}

/** The frame with a picture that is nearest to a number, before it or after it. */
export function neighbourOf<R extends Pick<FrameRow, 'frame' | 'picture'>>(rows: Iterable<R>, frame: number, side: 'before' | 'after'): R | undefined {
  let nearest: R | undefined;
  for (const row of rows) {
    if (row.picture === '' || (side === 'before' ? row.frame >= frame : row.frame <= frame)) continue;
    if (!nearest || Math.abs(row.frame - frame) < Math.abs(nearest.frame - frame)) nearest = row;
  }
  return nearest;
}

export function compareNumbers(a: FrameRow, b: FrameRow): number {
  return a.frame - b.frame;
}

/** Whether an event tells of files, and not only of how far frames are that are being rendered. */
export function tellsOfFiles(update: FrameUpdate): boolean {
  return update.refresh || update.frames.length > 0;
}

/**
 * The frames that workers are at. Of the frames of a task only one is; where its worker does not tell which, it is taken to
 * be the first that is not there yet.
 */
export function framesAtWork(rows: Iterable<Pick<FrameRow, 'id' | 'frame' | 'status' | 'task' | 'percent'>>): Set<string> {
  const atWork = new Map<string, { readonly id: string; readonly frame: number; readonly told: boolean }>();
  for (const { id, frame, status, task, percent } of rows) {
    if (status !== 'rendering') continue;
    const [known, told] = [atWork.get(task), percent >= 0];
    if (!known || (told && !known.told) || (told === known.told && (told ? frame > known.frame : frame < known.frame))) atWork.set(task, { id, frame, told });
  }
  return new Set([...atWork.values()].map(({ id }) => id));
}

const ENGINES: Readonly<Record<string, string>> = { CYCLES: 'Cycles', BLENDER_EEVEE: 'EEVEE', BLENDER_EEVEE_NEXT: 'EEVEE', BLENDER_WORKBENCH: 'Workbench' };

/** A renderer by the name that people know. */
export function engineName(engine: string): string {
  return Object.hasOwn(ENGINES, engine) ? (ENGINES[engine] ?? engine) : engine;
}

/** A renderer with its samples, in a few words; empty when neither is known. */
export function engineText(engine: string | undefined, samples: number | undefined): string {
  const counted = samples === undefined || samples < 0 ? '' : `${samples.toLocaleString('en')} ${samples === 1 ? 'sample' : 'samples'}`;
  return [engineName(engine ?? ''), counted].filter(Boolean).join(', ');
}

/** Whether something came out: a frame that is still to come has nothing to show. */
export function isRendered(status: FrameStatus): boolean {
  return status !== 'expected' && status !== 'rendering';
}

/** Whether a person should look at it. */
export function isTrouble(status: FrameStatus): boolean {
  return isRendered(status) && status !== 'ok';
}

export interface FrameTimes {
  readonly timed: number;
  readonly least: number;
  readonly median: number;
  readonly mean: number;
  readonly p95: number;
  readonly most: number;
  readonly sum: number;
}

/** Statistics of the render times in milliseconds; `null` when no frame has one. */
export function frameTimes(rows: Iterable<Pick<FrameRow, 'renderMs'>>): FrameTimes | null {
  const times: number[] = [];
  for (const { renderMs } of rows) if (renderMs >= 0) times.push(renderMs);
  if (times.length === 0) return null;
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.ceil(share * times.length) - 1)] ?? 0;
  const sum = times.reduce((total, time) => total + time, 0);
  const middle = times.length / 2;
  const median = Number.isInteger(middle) ? ((times[middle - 1] ?? 0) + (times[middle] ?? 0)) / 2 : at(0.5);
  return { timed: times.length, least: times[0] ?? 0, median, mean: sum / times.length, p95: at(0.95), most: times.at(-1) ?? 0, sum };
}

const CSV_COLUMNS: readonly [string, (row: FrameRow) => string | number][] = [
  ['frame', (row) => row.frame],
  ['state', (row) => row.status],
  ['name', (row) => row.name],
  ['path', (row) => row.path],
  ['output', (row) => row.output],
  ['worker', (row) => row.workerName],
  ['rendered_at', (row) => (row.updated > 0 ? new Date(row.updated).toISOString() : '')],
  ['render_ms', (row) => told(row.renderMs)],
  ['save_ms', (row) => told(row.saveMs)],
  ['peak_memory', (row) => told(row.peakMemory)],
  ['file_size', (row) => told(row.fileSize)],
  ['width', (row) => told(row.width)],
  ['height', (row) => told(row.height)],
  ['attempt', (row) => row.attempt],
  ['engine', (row) => row.engine],
  ['samples', (row) => told(row.samples)],
  ['message', (row) => row.message],
];

function told(value: number): number | string {
  return value < 0 ? '' : value;
}

/** Rows as comma-separated values with a header, as spreadsheets read them (RFC 4180). */
export function framesCsv(rows: Iterable<FrameRow>): string {
  const lines = [CSV_COLUMNS.map(([key]) => key).join(',')];
  for (const row of rows) lines.push(CSV_COLUMNS.map(([, value]) => csvCell(value(row))).join(','));
  return `${lines.join('\r\n')}\r\n`;
}

function csvCell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  // A cell that begins like a formula would be run by a spreadsheet; file names come from anybody.
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
