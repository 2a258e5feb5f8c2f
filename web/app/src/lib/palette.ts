// What the command palette finds.
import type { JobFound } from '@/api/types';
import type { SavedView } from './savedViews';
import { matchesText } from './tableQuery';

export interface Target {
  readonly kind: 'page' | 'view' | 'shot' | 'job' | 'worker' | 'path' | 'theme' | 'action';
  /** Name of the route for a page, what identifies the object otherwise. */
  readonly id: string;
  readonly label: string;
  /** What it was found by, when that is not its name. */
  readonly detail?: string;
  /** The frame that was found. */
  readonly frame?: number;
  readonly status?: string;
  /** The filters of a view. */
  readonly query?: Readonly<Record<string, string>>;
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

interface NamedJob extends Named {
  readonly shot: string;
}

/** What can be done here first, then pages, then saved views, shots, jobs and workers, the ones that changed last in front. Frames have views, but no page. */
export function findTargets(
  text: string,
  jobs: Iterable<NamedJob>,
  workers: Iterable<Named>,
  views: readonly SavedView[] = [],
  actions: readonly Target[] = [],
): Target[] {
  const pages = FIXED.filter((target) => matchesText(target.label.toLowerCase(), text));
  const saved = views.flatMap(({ page, name, query }): Target[] =>
    page !== 'frames' && matchesText(`${name} ${page}`.toLowerCase(), text) ? [{ kind: 'view', id: page, label: name, query }] : []);
  const all = [...jobs];
  const offered = actions.filter((target) => matchesText(target.label.toLowerCase(), text));
  return [...offered, ...pages, ...saved, ...shotsCalled(text, all), ...newest('job', all, text), ...newest('worker', workers, text)];
}

/** What can be done from anywhere, and with the job that is being looked at. */
export function actionTargets(job: { readonly id: string; readonly name: string } | undefined): Target[] {
  const again: Target[] = job ? [{ kind: 'action', id: 'resubmit', label: `Submit again: ${job.name}` }] : [];
  return [...again, { kind: 'action', id: 'clean-up', label: 'Clean up: delete old jobs' }];
}

/** Whether a text is worth looking for in paths. */
export function mayBePath(text: string): boolean {
  return text.trim().length >= 3;
}

/** Jobs that the manager found by a path. */
export function pathTargets(found: readonly JobFound[]): Target[] {
  return found.map(({ id, name, status, path, frame }) => ({ kind: 'path', id, label: name, status, detail: path, frame }));
}

/** Shots by their own name; a job without one is its own shot, and is found as a job. */
function shotsCalled(text: string, jobs: readonly NamedJob[]): Target[] {
  const shots = new Map<string, number>();
  if (text === '') return [];
  for (const { shot, name, updated } of jobs) {
    if (shot !== name && matchesText(shot.toLowerCase(), text)) shots.set(shot, Math.max(updated, shots.get(shot) ?? 0));
  }
  const found = [...shots].sort(([, a], [, b]) => b - a);
  return found.slice(0, PER_KIND).map(([shot]) => ({ kind: 'shot', id: shot, label: shot }));
}

function newest(kind: 'job' | 'worker', rows: Iterable<Named>, text: string): Target[] {
  const found: Named[] = [];
  for (const row of rows) if (matchesText(row.search, text)) found.push(row);
  found.sort((a, b) => b.updated - a.updated);
  return found.slice(0, PER_KIND).map(({ id, name, status }) => ({ kind, id, label: name, status }));
}
