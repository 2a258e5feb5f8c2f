// What the command palette finds.
import { matchesText } from './tableQuery';

export interface Target {
  readonly kind: 'page' | 'job' | 'worker' | 'theme';
  /** Name of the route for a page, id of the object otherwise. */
  readonly id: string;
  readonly label: string;
  readonly status?: string;
}

interface Named {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly search: string;
  readonly updated: number;
}

const FIXED: readonly Target[] = [
  { kind: 'page', id: 'home', label: 'Home' },
  { kind: 'page', id: 'jobs', label: 'Jobs' },
  { kind: 'page', id: 'shots', label: 'Shots' },
  { kind: 'page', id: 'workers', label: 'Workers' },
  { kind: 'page', id: 'tags', label: 'Tags' },
  { kind: 'page', id: 'last-rendered', label: 'Last rendered' },
  { kind: 'page', id: 'settings', label: 'Settings' },
  { kind: 'theme', id: 'toggle', label: 'Switch between the dark and the light theme' },
];

const PER_KIND = 12;

/** Pages first, then workers and jobs, the ones that changed last in front. */
export function findTargets(text: string, jobs: Iterable<Named>, workers: Iterable<Named>): Target[] {
  const pages = FIXED.filter((target) => matchesText(target.label.toLowerCase(), text));
  return [...pages, ...newest('job', jobs, text), ...newest('worker', workers, text)];
}

function newest(kind: 'job' | 'worker', rows: Iterable<Named>, text: string): Target[] {
  const found: Named[] = [];
  for (const row of rows) if (matchesText(row.search, text)) found.push(row);
  found.sort((a, b) => b.updated - a.updated);
  return found.slice(0, PER_KIND).map(({ id, name, status }) => ({ kind, id, label: name, status }));
}
