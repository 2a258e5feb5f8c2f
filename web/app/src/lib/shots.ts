// Jobs of the same shot, as one: brender's shots page in today's terms.
import { naturalKey, compareKeys } from './naturalSort';

interface JobLike {
  readonly id: string;
  readonly name: string;
  readonly shot: string;
  readonly project: string;
  readonly status: string;
  readonly created: number;
  readonly updated: number;
  readonly thumb: string;
}

export interface Shot<J extends JobLike> {
  readonly key: string;
  readonly name: string;
  readonly project: string;
  /** The job that was submitted last: it decides status, completion and picture. */
  readonly job: J;
  /** All of them, the newest first. */
  readonly jobs: readonly J[];
  /** The newest picture of any of its jobs. */
  readonly thumb: string;
}

/** Groups jobs by project and shot; within a project in natural order. `text` must occur in name or project. */
export function shotsOf<J extends JobLike>(jobs: Iterable<J>, text: string): Shot<J>[] {
  const groups = new Map<string, J[]>();
  const wanted = text.toLowerCase();
  for (const job of jobs) {
    if (wanted !== '' && !`${job.project} ${job.shot}`.toLowerCase().includes(wanted)) continue;
    const key = JSON.stringify([job.project, job.shot]);
    const group = groups.get(key);
    if (group) group.push(job);
    else groups.set(key, [job]);
  }
  const shots: Shot<J>[] = [];
  for (const [key, group] of groups) {
    group.sort((a, b) => b.created - a.created);
    const job = group[0];
    if (job) shots.push({ key, name: job.shot, project: job.project, job, jobs: group, thumb: group.find((one) => one.thumb !== '')?.thumb ?? '' });
  }
  const sortKeys = new Map(shots.map((shot) => [shot.key, [naturalKey(shot.project), naturalKey(shot.name)] as const]));
  return shots.sort((a, b) => {
    const [one, other] = [sortKeys.get(a.key), sortKeys.get(b.key)];
    return compareKeys(one?.[0] ?? '', other?.[0] ?? '') || compareKeys(one?.[1] ?? '', other?.[1] ?? '');
  });
}
