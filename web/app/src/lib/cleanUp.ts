// Old jobs that are deleted together: up to when, which, and what would become of them, in words.
import type { JobMassDeletionPreview, JobStatus } from '@/api/types';
import { counted } from './bulk';
import { statusLabel } from './status';

export const AGES = [
  { key: '2 weeks', label: 'more than 2 weeks ago' },
  { key: '1 month', label: 'more than a month ago' },
  { key: '3 months', label: 'more than 3 months ago' },
  { key: 'date', label: 'before' },
] as const;
export type Age = (typeof AGES)[number]['key'];

/** Statuses that are chosen together, and whether they are so at first: what is not finished might still be wanted. */
export const KINDS: readonly { readonly label: string; readonly statuses: readonly JobStatus[]; readonly usual: boolean }[] = [
  { label: 'Completed', statuses: ['completed'], usual: true },
  { label: 'Canceled', statuses: ['canceled'], usual: true },
  { label: 'Failed', statuses: ['failed'], usual: true },
  { label: 'Paused', statuses: ['paused', 'pause-requested'], usual: false },
  { label: 'Queued', statuses: ['queued', 'requeueing'], usual: false },
  { label: 'Active', statuses: ['active', 'cancel-requested'], usual: false },
];

const DAY = 86_400_000;

/**
 * The last moment that is old enough. `date` is a day as a date field has it, and the days before it count. `undefined` for
 * no day, or one that has not begun.
 */
export function momentOf(age: Age, date: string, now: number): Date | undefined {
  switch (age) {
    case '2 weeks':
      return new Date(now - 14 * DAY);
    case '1 month':
      return monthsBefore(now, 1);
    case '3 months':
      return monthsBefore(now, 3);
    case 'date': {
      if (!/^\d{4}-\d\d-\d\d$/.test(date)) return undefined;
      const begin = new Date(`${date}T00:00:00`).getTime();
      return Number.isNaN(begin) || begin > now ? undefined : new Date(begin - 1000);
    }
  }
}

/** The same day of an earlier month, or its last one. */
function monthsBefore(now: number, months: number): Date {
  const [then, day] = [new Date(now), new Date(now).getDate()];
  then.setMonth(then.getMonth() - months, 1);
  const last = new Date(then.getFullYear(), then.getMonth() + 1, 0).getDate();
  then.setDate(Math.min(day, last));
  return then;
}

/** "3 completed, 1 failed". */
export function byStatus(statuses: JobMassDeletionPreview['statuses']): string {
  return statuses.map(({ status, jobs }) => `${jobs.toLocaleString('en')} ${statusLabel(status).toLowerCase()}`).join(', ');
}

const RUNNING = new Set<JobStatus>(['active', 'cancel-requested', 'pause-requested', 'queued', 'requeueing', 'paused']);

/** What goes besides the jobs themselves. */
export function goesToo(preview: JobMassDeletionPreview): string[] {
  const lines = ['Their tasks, logs and thumbnails.'];
  const unfinished = preview.statuses.filter(({ status }) => RUNNING.has(status)).reduce((sum, { jobs }) => sum + jobs, 0);
  if (unfinished > 0) lines.push(`The work that ${counted(unfinished, 'unfinished job')} still ${unfinished === 1 ? 'has' : 'have'} to do: ${unfinished === 1 ? 'it is' : 'they are'} canceled first.`);
  if (preview.shaman_checkouts > 0) lines.push(`${counted(preview.shaman_checkouts, 'Shaman checkout')}, with the links to the files in ${preview.shaman_checkouts === 1 ? 'it' : 'them'}.`);
  return lines;
}

/** What stays, and why. */
export function stays(preview: JobMassDeletionPreview): string[] {
  const lines = ['The rendered files of all jobs.'];
  if (preview.shared_checkouts > 0) lines.push(`${counted(preview.shared_checkouts, 'Shaman checkout')} that a job uses which stays.`);
  if (preview.kept_newer > 0) lines.push(`${counted(preview.kept_newer, 'job')} that ${preview.kept_newer === 1 ? 'was' : 'were'} changed later.`);
  const kept = preview.kept_statuses.reduce((sum, { jobs }) => sum + jobs, 0);
  if (kept > 0) lines.push(`${counted(kept, 'job')} that ${kept === 1 ? 'is' : 'are'} old enough, in statuses that are not chosen: ${byStatus(preview.kept_statuses)}.`);
  return lines;
}

/** Whether a person has typed how many it is, with or without a comma. */
export function isNumber(typed: string, total: number): boolean {
  return total > 0 && typed.replaceAll(/[\s,]/g, '') === String(total);
}
