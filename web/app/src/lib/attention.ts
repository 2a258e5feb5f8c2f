// What a person should look at: what failed lately, who is gone, what cannot go on. Made of what the page has anyway.
import type { Attention as Waiting, StuckReason } from '@/api/types';
import { counted } from './bulk';

export interface Attention {
  readonly id: string;
  /** Decides colour and shape. */
  readonly status: string;
  readonly what: string;
  readonly why: string;
  /** 0 for what is so now. */
  readonly at: number;
  /** Where one click leads. */
  readonly to: string;
}

interface JobLike {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly updated: number;
  readonly frameFailures: number;
  readonly tasks: { readonly failed: number; readonly soft_failed: number } | null;
}

interface WorkerLike {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly lastSeen: number;
  readonly enabled: boolean;
  readonly machine: { readonly disk: number | undefined } | null;
}

type Ranked = Attention & { readonly rank: number };

/** Names of workers that are told of one job. */
const NAMES = 3;

const DAY = 86_400_000;
/** Percent of a disk. */
const FULL = 90;
const RUNNING = new Set(['active', 'queued']);

/**
 * What needs a person, the most pressing first, at most `most` entries; and how many there are in all. `waiting` is what the
 * manager alone knows, `troubles` what is wrong with the machine of a worker besides its disks.
 */
export function attention<W extends WorkerLike>(
  jobs: Iterable<JobLike>,
  workers: Iterable<W>,
  waiting: Waiting | null,
  now: number,
  most: number,
  troubles: (worker: W) => readonly string[] = () => [],
): { shown: Attention[]; total: number } {
  const found: Ranked[] = [];
  let [todo, awake] = [0, 0];
  for (const worker of workers) {
    if (worker.status === 'awake' && worker.enabled) awake++;
    const disk = worker.machine?.disk ?? 0;
    const to = `/workers/${worker.id}`;
    if (worker.status === 'error') {
      found.push({ rank: 0, id: worker.id, status: 'error', what: worker.name, why: 'The worker is in error.', at: worker.lastSeen, to });
    } else if (worker.status === 'offline' && worker.lastSeen > 0 && now - worker.lastSeen < DAY) {
      found.push({ rank: 3, id: worker.id, status: 'offline', what: worker.name, why: 'The worker is gone.', at: worker.lastSeen, to });
    } else if (worker.status !== 'offline' && disk >= FULL) {
      found.push({ rank: 2, id: worker.id, status: 'soft-failed', what: worker.name, why: `Its fullest disk is ${Math.floor(disk)} % full.`, at: 0, to });
    }
    const [trouble] = worker.status === 'offline' || worker.status === 'error' ? [] : troubles(worker);
    if (trouble !== undefined) found.push({ rank: 2, id: `${worker.id} machine`, status: 'soft-failed', what: worker.name, why: trouble, at: 0, to });
  }
  const told = new Set([...(waiting?.stuck ?? []), ...(waiting?.blocked ?? [])].map(({ job }) => job));
  for (const job of jobs) {
    if (RUNNING.has(job.status)) todo++;
    const entry = jobTrouble(job, now);
    // Why it does not go on is told instead of what only waits for others.
    if (entry && !(told.has(job.id) && entry.rank === 4)) found.push(entry);
  }
  const nobody = todo > 0 && awake === 0;
  if (waiting) found.push(...stuckJobs(waiting, nobody), ...blockedWorkers(waiting));
  if (nobody) {
    const why = `${counted(todo, 'job')} to do, and no worker is awake and enabled.`;
    found.push({ rank: -1, id: 'nobody', status: 'queued', what: 'Nobody works', why, at: 0, to: '/workers' });
  }
  found.sort((a, b) => a.rank - b.rank || b.at - a.at);
  const shown = found.slice(0, most).map(({ id, status, what, why, at, to }) => ({ id, status, what, why, at, to }));
  return { shown, total: found.length };
}

const WHY: Record<StuckReason, string> = {
  'no-type': 'No worker does its tasks',
  'no-tag': 'No worker that could do its tasks has its tag',
  blocked: 'Every worker that could do its tasks is on its blocklist',
  disabled: 'The workers that could do its tasks are disabled',
  away: 'The workers that could do its tasks are asleep or gone',
};

/** Jobs that nobody can go on with. When nobody works at all, that is told once and not for each of them. */
function stuckJobs({ stuck }: Waiting, nobody: boolean): Ranked[] {
  const told = stuck.filter(({ reason }) => !nobody || (reason !== 'disabled' && reason !== 'away'));
  return told.map(({ job, job_name: what, task_types: types, tasks, reason }) => {
    const page = reason === 'blocked' ? `/jobs/${job}/workers` : reason === 'no-type' || reason === 'no-tag' ? `/jobs/${job}/details` : '/workers';
    const why = `${WHY[reason]} (${types.join(', ')}); ${counted(tasks, 'task')} ${tasks === 1 ? 'waits' : 'wait'}.`;
    return { rank: reason === 'away' ? 3 : 1, id: `${job} stuck`, status: 'queued', what, why, at: 0, to: page };
  });
}

/** Blocked workers, an entry for each job: it leads to the job's blocklist, where they are let in again. */
function blockedWorkers({ blocked }: Waiting): Ranked[] {
  const jobs = new Map<string, Waiting['blocked']>();
  for (const one of blocked) jobs.set(one.job, [...(jobs.get(one.job) ?? []), one]);
  return [...jobs].map(([job, of]) => {
    const names = of.slice(0, NAMES).map(({ worker_name: name, task_types: types }) => `${name} (${types.join(', ')})`);
    const more = of.length > NAMES ? ` and ${of.length - NAMES} more` : '';
    const why = `Failed too often, and blocked: ${names.join(', ')}${more}.`;
    const at = Math.max(...of.map(({ since }) => Date.parse(since) || 0));
    return { rank: 2, id: `${job} blocked`, status: 'soft-failed', what: of[0]?.job_name ?? '', why, at, to: `/jobs/${job}/workers` };
  });
}

function jobTrouble(job: JobLike, now: number): Ranked | undefined {
  const base = { id: job.id, what: job.name, at: job.updated };
  const failed = job.tasks?.failed ?? 0;
  const to = `/jobs/${job.id}?status=failed`;
  if (job.status === 'failed') {
    if (now - job.updated > DAY) return undefined;
    return { ...base, rank: 1, status: 'failed', why: failed > 0 ? `The job failed: ${counted(failed, 'task')} did.` : 'The job failed.', to };
  }
  if (!RUNNING.has(job.status)) return undefined;
  if (failed > 0) return { ...base, rank: 2, status: 'failed', why: `${counted(failed, 'task')} failed.`, to };
  const soft = job.tasks?.soft_failed ?? 0;
  if (soft > 0) {
    const why = `${counted(soft, 'task')} failed once and will be tried by another worker.`;
    return { ...base, rank: 4, status: 'soft-failed', why, to: `/jobs/${job.id}?status=soft-failed` };
  }
  if (job.frameFailures > 0) {
    const why = `${counted(job.frameFailures, 'frame')} came out wrong.`;
    return { ...base, rank: 4, status: 'broken', why, to: `/jobs/${job.id}/frames?status=failed,broken,empty,missing` };
  }
  return undefined;
}
