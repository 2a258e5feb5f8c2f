// What a table shows, as the query of the page's address: sort, status filter and text filter survive a reload and can
// be sent to somebody else.
import type { LocationQuery, LocationQueryRaw } from 'vue-router';

export interface TableState {
  readonly sort: string;
  readonly descending: boolean;
  readonly statuses: readonly string[];
  readonly text: string;
}

/** Reads a query; what is missing or makes no sense is taken from `defaults`. */
export function readTableQuery(query: LocationQuery, defaults: TableState, sortKeys: readonly string[]): TableState {
  const sort = first(query.sort);
  const key = sort.replace(/^-/, '');
  const known = sortKeys.includes(key);
  return {
    sort: known ? key : defaults.sort,
    descending: known ? sort.startsWith('-') : defaults.descending,
    statuses: [...new Set(first(query.status).split(',').filter(Boolean))],
    text: first(query.q),
  };
}

/** The query of a state, without what is as in `defaults`, and with the other parameters of `query` kept. */
export function writeTableQuery(state: TableState, defaults: TableState, query: LocationQuery): LocationQueryRaw {
  const next: LocationQueryRaw = { ...query };
  delete next.sort;
  delete next.status;
  delete next.q;
  if (state.sort !== defaults.sort || state.descending !== defaults.descending) {
    next.sort = (state.descending ? '-' : '') + state.sort;
  }
  if (state.statuses.length > 0) next.status = state.statuses.join(',');
  if (state.text !== '') next.q = state.text;
  return next;
}

/** Whether a row passes: every word of the text must occur in `haystack`, which is lower case. */
export function matchesText(haystack: string, text: string): boolean {
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => haystack.includes(word));
}

function first(value: LocationQuery[string] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? '';
}
