import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { formValues } from '@/lib/resubmission';
import { fakeManager, type FakeManager } from './fakeManager';
import { useResubmission } from './resubmission';

const SUBMISSION = { name: 'shot', type: 'render', type_etag: 'one', priority: 50, submitter_platform: 'linux', settings: { frames: '1-3', secret: 7 } };
const TYPE = { name: 'render', label: 'Render', etag: 'two', settings: [{ key: 'frames', type: 'string' }] };
let manager: FakeManager;

beforeEach(() => {
  manager = fakeManager();
  manager.answer('GET /api/v3/jobs/a/submission', { body: { submission: SUBMISSION, as_submitted: true } });
  manager.answer('GET /api/v3/jobs/type/render', { body: TYPE });
});
afterEach(() => vi.unstubAllGlobals());

async function opened() {
  const again = useResubmission('a');
  await again.read();
  const order = { name: 'shot', priority: 50, tag: '', paused: false, by: '', values: { frames: '1-3' } };
  return { again, order };
}

it('checks the job before it is submitted, both with the etag of now', async () => {
  const { again, order } = await opened();
  manager.answer('POST /api/v3/jobs/check', { status: 204 });
  manager.answer('POST /api/v3/jobs', { body: { id: 'b' } });
  expect(await again.send(order)).toEqual({ job: 'b' });
  expect(manager.asked.slice(2)).toEqual(['POST /api/v3/jobs/check', 'POST /api/v3/jobs']);
  expect(manager.bodies[0]).toMatchObject({ type_etag: 'two', settings: { frames: '1-3', secret: 7 } });
  expect(manager.bodies[1]).toEqual(manager.bodies[0]);
});

it('submits nothing that the check refuses, and says where it is wrong', async () => {
  const { again, order } = await opened();
  manager.answer('POST /api/v3/jobs/check', { status: 400, body: { code: 400, message: 'invalid frame range "1-3": no' } });
  expect(await again.send(order)).toEqual({ field: 'frames', message: 'invalid frame range "1-3": no', outdated: false });
  expect(manager.asked).not.toContain('POST /api/v3/jobs');
});

it('says when the job type changed meanwhile, and reads it again', async () => {
  const { again, order } = await opened();
  manager.answer('POST /api/v3/jobs/check', { status: 412, body: { code: 412, message: 'job type "render" has changed' } });
  expect(await again.send(order)).toMatchObject({ outdated: true, field: '' });
  manager.answer('GET /api/v3/jobs/type/render', { body: { ...TYPE, etag: 'three' } });
  await again.read();
  expect(again.jobType.value?.etag).toBe('three');
  expect(again.jobType.value && formValues(again.jobType.value, SUBMISSION.settings)).toEqual({ frames: '1-3' });
});

it('says plainly that the job type is gone or broken', async () => {
  manager.answer('GET /api/v3/jobs/type/render', { status: 404, body: { code: 404, message: 'no' } });
  expect((await opened()).again.typeProblem.value).toContain('“render” is gone');
  manager.answer('GET /api/v3/jobs/type/render', { status: 500, body: { code: 500, message: 'the job type render does not load' } });
  const { again, order } = await opened();
  expect(again.typeProblem.value).toBe('the job type render does not load');
  expect(await again.send(order)).not.toHaveProperty('job');
});

it('says why the job could not be read', async () => {
  manager.answer('GET /api/v3/jobs/a/submission', { status: 404, body: { code: 404, message: 'there is no job a' } });
  expect((await opened()).again.error.value?.message).toBe('there is no job a');
});
