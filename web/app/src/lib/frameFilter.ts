// What the frames view filters by besides state and text, as the query of the page's address.
import type { LocationQuery, LocationQueryRaw } from 'vue-router';
import { isRendered, parseFrames, type FrameRow } from './frames';
import type { RowFilter } from './grid/gridView';

export interface FrameFilter {
  /** Numbers as in `1-50,80`; empty for all. */
  readonly range: string;
  /** Only frames that took longer than so many seconds; empty for all. */
  readonly slower: string;
  /** Id of the worker; empty for all. */
  readonly worker: string;
  /** Only the files of this output, as the frames tell it; empty for the newest file of each frame. */
  readonly output: string;
}

export const NO_FILTER: FrameFilter = { range: '', slower: '', worker: '', output: '' };

const KEYS = ['range', 'slower', 'worker', 'output'] as const;

export function readFrameFilter(query: LocationQuery): FrameFilter {
  const [range, slower, worker, output] = KEYS.map((key) => (typeof query[key] === 'string' ? query[key] : ''));
  return { range: range ?? '', slower: slower ?? '', worker: worker ?? '', output: output ?? '' };
}

export function isSameFilter(one: FrameFilter, other: FrameFilter): boolean {
  return KEYS.every((key) => one[key] === other[key]);
}

/** The query with this filter, and with the other parameters kept. */
export function writeFrameFilter(filter: FrameFilter, query: LocationQuery): LocationQueryRaw {
  const next: LocationQueryRaw = { ...query };
  for (const key of KEYS) {
    if (filter[key] === '') delete next[key];
    else next[key] = filter[key];
  }
  return next;
}

/** What a filter lets through; `null` for everything. A range or a number that cannot be read lets nothing through. */
export function acceptedFrames(filter: FrameFilter): RowFilter<FrameRow> | null {
  if (KEYS.every((key) => filter[key] === '')) return null;
  const numbers = new Set(parseFrames(filter.range));
  const least = filter.slower === '' ? -Infinity : Number(filter.slower) * 1000;
  return {
    fields: ['renderMs', 'worker', 'output', 'status'],
    accepts: (row) =>
      (filter.range === '' || numbers.has(row.frame)) &&
      (filter.slower === '' || row.renderMs > least) &&
      (filter.worker === '' || row.worker === filter.worker) &&
      // What is still to come, or failed before it had a file, belongs to every output.
      (filter.output === '' || row.output === filter.output || !isRendered(row.status) || row.status === 'failed'),
  };
}
