// The audit trail: what was done, in words, where that leads, and which entries the address asks for. Pure.
import type { LocationQuery, LocationQueryRaw, RouteLocationRaw } from 'vue-router';
import type { AuditEntry } from '@/api/types';
import type { GridRow } from './grid/rowTable';
import { parseTime } from './times';

export interface AuditRow extends GridRow {
  readonly number: number;
  readonly at: number;
  /** The name that was given when signing in; may be empty. */
  readonly name: string;
  readonly role: AuditEntry['role'];
  readonly address: string;
  readonly operation: string;
  readonly what: string;
  readonly objectKind: AuditEntry['object_kind'];
  readonly objectId: string;
  readonly objectName: string;
  readonly summary: string;
}

/** What an operation does, told of somebody who did it. */
export const OPERATIONS: Readonly<Record<string, string>> = {
  submitJob: 'Submitted a job',
  setJobStatus: 'Changed the status of a job',
  setJobPriority: 'Changed the priority of a job',
  setJobTag: 'Changed the tag of a job',
  setJobPoster: 'Chose the poster of a job',
  requeueJobFrames: 'Requeued frames of a job',
  removeJobBlocklist: 'Lifted the block of workers',
  deleteJob: 'Deleted a job',
  deleteJobMass: 'Deleted old jobs',
  setTaskStatus: 'Changed the status of a task',
  requestWorkerStatusChange: 'Asked a worker for a status',
  setWorkerEnabled: 'Enabled or disabled a worker',
  setWorkerTags: 'Changed the tags of a worker',
  setWorkerSleepSchedule: 'Changed a sleep schedule',
  deleteWorker: 'Removed a worker',
  createWorkerTag: 'Created a tag',
  updateWorkerTag: 'Changed a tag',
  deleteWorkerTag: 'Deleted a tag',
  shamanCheckout: 'Laid out files for a job',
  updateConfigurationFile: 'Changed the settings',
  saveSetupAssistantConfig: 'Set up the manager',
  createSession: 'Signed in',
};

/** The status that was asked for says it shorter. */
const BY_STATUS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  setJobStatus: { 'pause-requested': 'Paused a job', 'cancel-requested': 'Cancelled a job', requeueing: 'Requeued a job' },
  setTaskStatus: { canceled: 'Cancelled a task', queued: 'Requeued a task' },
  requestWorkerStatusChange: {
    awake: 'Woke a worker up',
    asleep: 'Sent a worker to sleep',
    restart: 'Restarted a worker',
    offline: 'Shut a worker down',
  },
};

/** What was done, in words; of an operation from after this page was made, its name in words. */
export function whatWasDone(operation: string, summary: string): string {
  const status = /\bstatus: ([a-z-]+)/.exec(summary)?.[1] ?? '';
  return BY_STATUS[operation]?.[status] ?? OPERATIONS[operation] ?? inWords(operation);
}

function inWords(operation: string): string {
  const words = operation.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function rowOf(entry: AuditEntry): AuditRow {
  return {
    id: String(entry.id),
    rev: 0,
    number: entry.id,
    at: parseTime(entry.at),
    name: entry.name ?? '',
    role: entry.role,
    address: entry.address,
    operation: entry.operation,
    what: whatWasDone(entry.operation, entry.summary),
    objectKind: entry.object_kind,
    objectId: entry.object_id ?? '',
    objectName: entry.object_name ?? '',
    summary: entry.summary,
  };
}

const KINDS: Readonly<Record<AuditEntry['object_kind'], string>> = {
  job: 'A job',
  task: 'A task',
  worker: 'A worker',
  tag: 'A tag',
  checkout: 'Files of a job',
  configuration: 'Settings',
  session: 'Session',
};

/** What to call the object of an entry; what has no name, by its kind. */
export function objectLabel(row: Pick<AuditRow, 'objectKind' | 'objectName'>): string {
  return row.objectName || KINDS[row.objectKind];
}

const DELETIONS = new Set(['deleteJob', 'deleteWorker', 'deleteWorkerTag']);

/** Where the object is; null when it is nowhere, `task` when that is known only by asking the manager. */
export function placeOf(row: Pick<AuditRow, 'objectKind' | 'objectId' | 'operation'>): RouteLocationRaw | 'task' | null {
  if (row.objectKind === 'configuration') return { name: 'settings' };
  if (row.objectId === '' || DELETIONS.has(row.operation)) return null;
  switch (row.objectKind) {
    case 'job':
      return { name: 'job', params: { jobID: row.objectId } };
    case 'worker':
      return { name: 'worker', params: { workerID: row.objectId } };
    case 'tag':
      return { name: 'tags' };
    case 'task':
      return 'task';
    default:
      return null;
  }
}

/** Which entries are shown; empty texts filter nothing. */
export interface AuditFilter {
  readonly name: string;
  readonly operation: string;
  /** Id of a job, task, worker or tag. */
  readonly object: string;
}

export const NO_AUDIT_FILTER: AuditFilter = { name: '', operation: '', object: '' };
const KEYS = ['name', 'operation', 'object'] as const;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Reads the filter from an address; what makes no sense filters nothing. */
export function readAuditFilter(query: LocationQuery): AuditFilter {
  const [name = '', operation = '', object = ''] = KEYS.map((key) => {
    const value = query[key];
    return ((Array.isArray(value) ? value[0] : value) ?? '').slice(0, 100);
  });
  return { name, operation, object: UUID.test(object) ? object : '' };
}

/** The query of a filter, with the other parameters of `query` kept. */
export function writeAuditFilter(filter: AuditFilter, query: LocationQuery): LocationQueryRaw {
  return { ...query, ...Object.fromEntries(KEYS.map((key) => [key, filter[key] || undefined])) };
}

export function isFiltered(filter: AuditFilter): boolean {
  return KEYS.some((key) => filter[key] !== '');
}
