// What a person should look at: what failed lately, who is gone, what cannot go on. Made of what the page has anyway.
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
  /** Id of the tag that its workers must have, or empty. */
  readonly tag: string;
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

const DAY = 86_400_000;
/** Percent of a disk. */
const FULL = 90;
const RUNNING = new Set(['active', 'queued']);

/**
 * What needs a person, the most pressing first, at most `most` entries; and how many there are in all. `unmanned` has the
 * names of the tags that no worker has.
 */
export function attention(
  jobs: Iterable<JobLike>,
  workers: Iterable<WorkerLike>,
  unmanned: ReadonlyMap<string, string>,
  now: number,
  most: number,
): { shown: Attention[]; total: number } {
  const found: (Attention & { readonly rank: number })[] = [];
  let [waiting, awake] = [0, 0];
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
  }
  for (const job of jobs) {
    if (RUNNING.has(job.status)) waiting++;
    const entry = jobTrouble(job, unmanned, now);
    if (entry) found.push(entry);
  }
  if (waiting > 0 && awake === 0) {
    const why = `${counted(waiting, 'job')} to do, and no worker is awake and enabled.`;
    found.push({ rank: -1, id: 'nobody', status: 'queued', what: 'Nobody works', why, at: 0, to: '/workers' });
  }
  found.sort((a, b) => a.rank - b.rank || b.at - a.at);
  const shown = found.slice(0, most).map(({ id, status, what, why, at, to }) => ({ id, status, what, why, at, to }));
  return { shown, total: found.length };
}

function jobTrouble(job: JobLike, unmanned: ReadonlyMap<string, string>, now: number): (Attention & { readonly rank: number }) | undefined {
  const base = { id: job.id, what: job.name, at: job.updated };
  const failed = job.tasks?.failed ?? 0;
  const to = `/jobs/${job.id}?status=failed`;
  if (job.status === 'failed') {
    if (now - job.updated > DAY) return undefined;
    return { ...base, rank: 1, status: 'failed', why: failed > 0 ? `The job failed: ${counted(failed, 'task')} did.` : 'The job failed.', to };
  }
  if (!RUNNING.has(job.status)) return undefined;
  const tag = unmanned.get(job.tag);
  if (tag !== undefined) return { ...base, at: 0, rank: 1, status: 'queued', why: `No worker has its tag “${tag}”, so nobody can do it.`, to: '/tags' };
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
