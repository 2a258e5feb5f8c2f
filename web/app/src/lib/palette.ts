// What the command palette finds.
import type { JobFound } from '@/api/types';
import type { Deed } from './roles';
import type { SavedView } from './savedViews';
import { matchesText } from './tableQuery';

export interface Target {
  readonly kind: 'page' | 'view' | 'shot' | 'job' | 'worker' | 'path' | 'theme' | 'session' | 'action';
  /** Name of the route for a page, what identifies the object otherwise. */
  readonly id: string;
  readonly label: string;
  /** What it was found by, when that is not its name. */
  readonly detail?: string;
  /** The frame that was found. */
  readonly frame?: number;
  readonly status?: string;
  /** The filters of a view, or what a page is asked for. */
  readonly query?: Readonly<Record<string, string>>;
}

interface Named {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly search: string;
  readonly updated: number;
}

/** What is always there, for those who may do what it is for. */
const FIXED: readonly (Target & { readonly needs?: Deed })[] = [
  { kind: 'page', id: 'home', label: 'Home' },
  { kind: 'page', id: 'home', label: 'Wall view', query: { wall: '1' } },
  { kind: 'page', id: 'jobs', label: 'Jobs' },
  { kind: 'page', id: 'shots', label: 'Shots' },
  { kind: 'page', id: 'workers', label: 'Workers' },
  { kind: 'page', id: 'tags', label: 'Tags' },
  { kind: 'page', id: 'last-rendered', label: 'Last rendered' },
  { kind: 'page', id: 'audit', label: 'Audit trail', needs: 'read the audit trail' },
  { kind: 'page', id: 'manager-log', label: 'Log of the manager', needs: 'read the log of the manager' },
  { kind: 'page', id: 'settings', label: 'Settings', needs: 'change settings' },
  { kind: 'theme', id: 'toggle', label: 'Switch between the dark and the light theme' },
];

const PER_KIND = 12;

interface NamedJob extends Named {
  readonly shot: string;
}

/** Who looks for something: what they may do, and whether they can sign in or out. */
export interface Seeker {
  may(deed: Deed): boolean;
  readonly session?: 'sign-in' | 'sign-out' | undefined;
}

/** What can be done here first, then pages, then saved views, shots, jobs and workers, the ones that changed last in front. Frames have views, but no page. */
export function findTargets(
  text: string,
  jobs: Iterable<NamedJob>,
  workers: Iterable<Named>,
  views: readonly SavedView[],
  seeker: Seeker,
  actions: readonly Target[] = [],
): Target[] {
  const { session } = seeker;
  const signing: Target[] = session ? [{ kind: 'session', id: session, label: session === 'sign-in' ? 'Sign in' : 'Sign out' }] : [];
  const fixed = [...FIXED.filter(({ needs }) => !needs || seeker.may(needs)), ...signing];
  const pages = fixed.filter((target) => matchesText(target.label.toLowerCase(), text));
  const saved = views.flatMap(({ page, name, query }): Target[] =>
    page !== 'frames' && matchesText(`${name} ${page}`.toLowerCase(), text) ? [{ kind: 'view', id: page, label: name, query }] : []);
  const all = [...jobs];
  const offered = actions.filter((target) => matchesText(target.label.toLowerCase(), text));
  return [...offered, ...pages, ...saved, ...shotsCalled(text, all), ...newest('job', all, text), ...newest('worker', workers, text)];
}

/** What this person can do from anywhere, and with the job that is being looked at. */
export function actionTargets(job: { readonly id: string; readonly name: string } | undefined, seeker: Seeker): Target[] {
  const again: Target[] = job && seeker.may('submit jobs') ? [{ kind: 'action', id: 'resubmit', label: `Submit again: ${job.name}` }] : [];
  return seeker.may('delete old jobs') ? [...again, { kind: 'action', id: 'clean-up', label: 'Clean up: delete old jobs' }] : again;
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
