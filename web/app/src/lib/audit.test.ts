import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '@/api/types';
import { isFiltered, NO_AUDIT_FILTER, objectLabel, placeOf, readAuditFilter, rowOf, whatWasDone, writeAuditFilter, type AuditRow } from './audit';

const ID = '2f1a6b0e-7c51-4a52-9d0c-5b8f5f7b2c11';
const entry: AuditEntry = {
  id: 12,
  at: '2026-02-03T14:05:31Z',
  operation: 'setJobStatus',
  object_kind: 'job',
  object_id: ID,
  object_name: 'lighting <b>v3</b>',
  summary: 'status: cancel-requested, reason: wrong camera',
  role: 'artist',
  name: 'Lighting',
  address: '192.0.2.20',
};

describe('what was done', () => {
  it.each([
    ['setJobStatus', 'status: cancel-requested', 'Cancelled a job'],
    ['setJobStatus', 'status: pause-requested', 'Paused a job'],
    ['setJobStatus', 'status: active', 'Changed the status of a job'],
    ['setTaskStatus', 'status: queued', 'Requeued a task'],
    ['requestWorkerStatusChange', 'status: asleep, after its task', 'Sent a worker to sleep'],
    ['setJobPriority', 'priority: 80', 'Changed the priority of a job'],
    ['setJobPriority', '', 'Changed the priority of a job'],
    ['createSession', '', 'Signed in'],
    ['archiveOldJobs', '', 'Archive old jobs'],
  ])('%s, %s', (operation, summary, words) => expect(whatWasDone(operation, summary)).toBe(words));
});

describe('an entry', () => {
  it('is a row', () => {
    expect(rowOf(entry)).toMatchObject({ id: '12', number: 12, at: Date.UTC(2026, 1, 3, 14, 5, 31), name: 'Lighting', what: 'Cancelled a job', objectId: ID });
    expect(rowOf({ ...entry, name: undefined, object_id: undefined, object_name: undefined })).toMatchObject({ name: '', objectId: '', objectName: '' });
  });

  it.each<[Partial<AuditRow>, string]>([
    [{}, 'lighting <b>v3</b>'],
    [{ objectName: '' }, 'A job'],
    [{ objectName: '', objectKind: 'configuration' }, 'Settings'],
  ])('of %o is called %s', (change, label) => expect(objectLabel({ ...rowOf(entry), ...change })).toBe(label));

  it.each<[Partial<AuditRow>, unknown]>([
    [{}, { name: 'job', params: { jobID: ID } }],
    [{ objectKind: 'worker' }, { name: 'worker', params: { workerID: ID } }],
    [{ objectKind: 'tag' }, { name: 'tags' }],
    [{ objectKind: 'task' }, 'task'],
    [{ objectKind: 'configuration', objectId: '' }, { name: 'settings' }],
    [{ objectKind: 'session', objectId: '' }, null],
    [{ objectKind: 'checkout' }, null],
    [{ objectId: '' }, null],
    [{ operation: 'deleteJob' }, null],
  ])('%o leads to %o', (change, place) => expect(placeOf({ ...rowOf(entry), ...change })).toEqual(place));
});

describe('the filter in the address', () => {
  it.each([
    [{}, NO_AUDIT_FILTER],
    [{ name: 'Lighting', operation: 'deleteJob', object: ID }, { name: 'Lighting', operation: 'deleteJob', object: ID }],
    [{ name: ['Lighting', 'Layout'], operation: null }, { ...NO_AUDIT_FILTER, name: 'Lighting' }],
    [{ object: 'no id' }, NO_AUDIT_FILTER],
    [{ name: 'x'.repeat(300) }, { ...NO_AUDIT_FILTER, name: 'x'.repeat(100) }],
  ])('%o', (query, filter) => {
    expect(readAuditFilter(query)).toEqual(filter);
    expect(readAuditFilter({ ...query, ...writeAuditFilter(filter, {}) } as typeof query)).toEqual(filter);
    expect(isFiltered(filter)).toBe(filter !== NO_AUDIT_FILTER);
  });

  it('leaves other parameters alone', () => {
    expect(writeAuditFilter({ ...NO_AUDIT_FILTER, name: 'Lighting' }, { entry: '3', object: ID })).toEqual({ entry: '3', name: 'Lighting', operation: undefined, object: undefined });
  });
});
