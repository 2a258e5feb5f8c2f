import { describe, expect, it } from 'vitest';
import type { JobType, SubmittedJob } from '@/api/types';
import { changesOf, fieldOf, formFields, formValues, jobToSend, settingsToSend, wrongFields } from './resubmission';

const jobType: JobType = {
  name: 'render',
  label: 'Render',
  etag: 'new',
  settings: [
    { key: 'frames', type: 'string', required: true, label: 'Frame range', description: 'Which frames' },
    { key: 'chunk_size', type: 'int32', default: 1, propargs: { min: 1, max: 100 }, visible: 'submission' },
    { key: 'scale', type: 'float', default: 1 },
    { key: 'denoise', type: 'bool', default: true },
    { key: 'format', type: 'string', choices: ['PNG', 'OPEN_EXR'], default: 'PNG' },
    { key: 'root', type: 'string', required: true },
    { key: 'path', type: 'string', editable: false, eval: 'str(Path(abspath(settings.root), jobname))' },
    { key: 'owner', type: 'string', editable: false },
    { key: 'blendfile', type: 'string', visible: 'web', required: true },
    { key: 'fps', type: 'float', visible: 'hidden' },
  ],
};
const old = { frames: '1-24', chunk_size: 3, format: 'PNG', root: '/out', path: '/out/job', blendfile: '/a.blend', fps: 24, extra: { deep: [1] } };
const fields = formFields(jobType);
const at = (key: string) => fields.find((field) => field.key === key);

describe('the form', () => {
  it('shows labels, kinds and limits, and hides what is hidden', () => {
    expect(fields.map(({ key, kind }) => `${key} ${kind}`)).toEqual([
      'frames text', 'chunk_size integer', 'scale number', 'denoise switch', 'format choice', 'root text', 'path text', 'owner text', 'blendfile text',
    ]);
    expect(at('frames')).toMatchObject({ label: 'Frame range', description: 'Which frames', required: true });
    expect(at('chunk_size')).toMatchObject({ label: 'Chunk size', min: 1, max: 100, kept: '' });
    expect(at('format')?.choices).toEqual(['PNG', 'OPEN_EXR']);
  });

  it('says why a setting stays as it is', () => {
    expect(at('path')?.kept).toContain('Blender');
    expect(at('owner')?.kept).toContain('job type');
    expect(at('blendfile')?.kept).toContain('submit from there');
    expect(at('root')?.kept).toBe('Goes into Path, which only Blender can work out anew.');
    expect(fields.filter(({ kept }) => kept === '').map(({ key }) => key)).toEqual(['frames', 'chunk_size', 'scale', 'denoise', 'format']);
  });

  it('begins with what the old job had, then with what the type begins with', () => {
    expect(formValues(jobType, old)).toMatchObject({ frames: '1-24', chunk_size: '3', scale: '1', denoise: true, owner: '', fps: '24' });
    expect(formValues(jobType, { ...old, denoise: false }).denoise).toBe(false);
  });
});

describe('what is sent', () => {
  it('is what the old job had when nothing was changed, with what is new', () => {
    expect(settingsToSend(jobType, old, formValues(jobType, old))).toEqual({ ...old, scale: 1, denoise: true });
  });

  it('has what was changed, of its type; an empty number is left out', () => {
    const values = { ...formValues(jobType, old), frames: '5', chunk_size: '10', scale: '', denoise: false };
    expect(settingsToSend(jobType, old, values)).toEqual({ ...old, frames: '5', chunk_size: 10, denoise: false });
  });
});

describe('the job that is sent', () => {
  const sent: SubmittedJob = {
    name: 'shot', type: 'render', type_etag: 'old', priority: 50, submitter_platform: 'darwin', settings: old,
    metadata: { project: 'Spring', shot: '010', 'user.name': 'artist', 'submitted.from': 'desk', 'addon.version': '1.0', 'submission.id': '7', 'blender.version': '4.5' },
    storage: { shaman_checkout_id: 'shot-x7k2' }, worker_tag: 'gpu', initial_status: 'paused',
  };
  const order = { name: ' shot again ', priority: 60, tag: '', paused: false, by: '', values: formValues(jobType, old) };

  it('has all that the old one had but who submitted it, and the etag of now', () => {
    expect(jobToSend(sent, 'the old id', jobType, order)).toEqual({
      name: 'shot again', type: 'render', type_etag: 'new', priority: 60, submitter_platform: 'darwin',
      settings: { ...old, scale: 1, denoise: true },
      metadata: { project: 'Spring', shot: '010', 'blender.version': '4.5', 'submitted.again': 'the old id' },
      storage: { shaman_checkout_id: 'shot-x7k2' }, initial_status: 'queued',
    });
  });

  it('has a tag, waits, and tells who submits, if that is wanted', () => {
    expect(jobToSend(sent, 'x', jobType, { ...order, tag: 'cpu', paused: true, by: ' me ' })).toMatchObject({
      worker_tag: 'cpu', initial_status: 'paused', metadata: { 'user.name': 'me' },
    });
  });
});

describe('what is wrong', () => {
  const wrong = (change: Record<string, string>) => wrongFields(fields, { ...formValues(jobType, old), ...change });
  it.each([
    [{}, {}],
    [{ frames: ' ' }, { frames: 'This must not be empty.' }],
    [{ chunk_size: '0' }, { chunk_size: 'The least is 1.' }],
    [{ chunk_size: '101' }, { chunk_size: 'The most is 100.' }],
    [{ chunk_size: '1.5' }, { chunk_size: 'This must be a whole number.' }],
    [{ scale: 'big' }, { scale: 'This must be a number, not “big”.' }],
    [{ scale: '' }, {}],
    [{ blendfile: '' }, {}],
  ])('%j', (change, problems) => expect(wrong(change)).toEqual(problems));

  it.each([
    ['name must not be empty; give the job another name', 'name'],
    ['there is no worker tag 7; choose one', 'tag'],
    ['invalid frame range "1-24": cannot understand it (render.js:4:9)', 'frames'],
    ['chunk size must be at least 1, not 0 (render.js:1:2)', 'chunk_size'],
    ['the setting chunk_size is odd', 'chunk_size'],
    ['Frame range is missing', 'frames'],
    ['rescaled', ''],
    ['path is missing', ''],
    ['the script failed', ''],
  ])('%s', (message, key) => expect(fieldOf(message, fields, formValues(jobType, old))).toBe(key));
});

describe('a job type that changed', () => {
  const submission = (type_etag: string | undefined): SubmittedJob => ({ name: 'x', type: 'render', submitter_platform: 'linux', priority: 50, settings: old, ...(type_etag ? { type_etag } : {}) });
  it('is told with what is new and what is gone', () => {
    expect(changesOf(jobType, submission('new'))).toBe('');
    expect(changesOf(jobType, submission(undefined))).toBe('');
    const text = changesOf(jobType, submission('old'));
    expect(text).toContain('“Render” has changed');
    expect(text).toContain('has no scale, denoise, owner:');
    expect(text).toContain('no longer knows extra,');
  });
});
