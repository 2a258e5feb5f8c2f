import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { effectScope, nextTick, shallowRef, type EffectScope } from 'vue';
import { NO_AUDIT_FILTER, type AuditFilter } from '@/lib/audit';
import { fakeManager, type FakeManager } from './fakeManager';
import { useAudit, type Audit } from './useAudit';

const AUDIT = 'GET /api/v3/audit';
let [manager, scope]: [FakeManager, EffectScope] = [fakeManager(), effectScope()];
beforeEach(() => {
  manager = fakeManager();
  scope = effectScope();
});
afterEach(() => {
  scope.stop();
  vi.unstubAllGlobals();
});

function trail(ids: number[], next_before?: number): { body: object } {
  const entries = ids.map((id) => ({ id, at: '2026-02-03T14:05:31Z', operation: 'submitJob', object_kind: 'job', summary: '', role: 'admin', address: '192.0.2.1' }));
  return { body: { entries, next_before } };
}
const filter = shallowRef<AuditFilter>(NO_AUDIT_FILTER);
async function open(): Promise<Audit> {
  filter.value = NO_AUDIT_FILTER;
  const audit = scope.run(() => useAudit(() => filter.value));
  if (!audit) throw new Error('no scope');
  await vi.waitFor(() => expect(audit.reading.ready.value || audit.reading.error.value).toBeTruthy());
  return audit;
}
const ids = (audit: Audit): number[] => [...audit.table.values()].map(({ number }) => number);

describe('the audit trail', () => {
  it('is read from the newest on, and older when asked for', async () => {
    manager.answer(AUDIT, trail([9, 8], 8));
    const audit = await open();
    expect([ids(audit), audit.hasOlder.value]).toEqual([[9, 8], true]);
    manager.answer(AUDIT, trail([7]));
    await audit.readOlder();
    expect([ids(audit), audit.hasOlder.value]).toEqual([[9, 8, 7], false]);
    await audit.readOlder();
    expect(manager.queries).toEqual(['?limit=100', '?before=8&limit=100']);
  });

  it('read again gets what is new, and keeps what is old', async () => {
    manager.answer(AUDIT, trail([9, 8], 8));
    const audit = await open();
    manager.answer(AUDIT, trail([7]));
    await audit.readOlder();
    manager.answer(AUDIT, trail([10, 9], 9));
    await audit.reading.read();
    expect([ids(audit).sort((a, b) => a - b), audit.hasOlder.value]).toEqual([[7, 8, 9, 10], false]);
  });

  it('starts anew when something is missing between', async () => {
    manager.answer(AUDIT, trail([9, 8]));
    const audit = await open();
    manager.answer(AUDIT, trail([300, 299], 299));
    await audit.reading.read();
    expect([ids(audit), audit.hasOlder.value]).toEqual([[300, 299], true]);
  });

  it('asks the manager for what the filter wants', async () => {
    manager.answer(AUDIT, trail([9]));
    const audit = await open();
    manager.answer(AUDIT, trail([5]));
    filter.value = { name: 'Lighting & Layout', operation: 'deleteJob', object: '' };
    await nextTick();
    await vi.waitFor(() => expect(ids(audit)).toEqual([5]));
    expect(manager.queries.at(-1)).toBe('?name=Lighting%20%26%20Layout&operation=deleteJob&limit=100');
  });

  it('an older page that comes after the filter was changed is none of its entries', async () => {
    manager.answer(AUDIT, trail([9], 9));
    const audit = await open();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    manager.answer(AUDIT, async () => (await held, trail([8])));
    const older = audit.readOlder();
    await vi.waitFor(() => expect(manager.asked).toHaveLength(2));
    manager.answer(AUDIT, trail([4]));
    filter.value = { ...NO_AUDIT_FILTER, name: 'Layout' };
    await nextTick();
    release();
    await older;
    await vi.waitFor(() => expect(ids(audit)).toEqual([4]));
  });

  it('says why it could not be read, and what was read stays', async () => {
    manager.answer(AUDIT, trail([9], 9));
    const audit = await open();
    manager.answer(AUDIT, { status: 403, body: { code: 403, message: 'this needs the role admin' } });
    await audit.readOlder();
    expect([audit.problem.value, ids(audit), audit.hasOlder.value]).toEqual(['this needs the role admin', [9], true]);
    await audit.reading.read();
    expect([audit.reading.error.value?.status, ids(audit)]).toEqual([403, [9]]);
  });
});
