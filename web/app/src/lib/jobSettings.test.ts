import { describe, expect, it } from 'vitest';
import type { JobType } from '@/api/types';
import { settingRows } from './jobSettings';

const jobType = {
  name: 'render',
  label: 'Render',
  etag: 'x',
  settings: [
    { key: 'frames', type: 'string', description: 'Which frames' },
    { key: 'chunk_size', type: 'int32' },
    { key: 'blendfile', type: 'string', visible: 'web', label: 'Blend file' },
    { key: 'secret', type: 'string', visible: 'hidden' },
    { key: 'addon_only', type: 'string', visible: 'submission' },
    { key: 'not_given', type: 'bool' },
  ],
} as unknown as JobType;

const settings = { chunk_size: 3, frames: '1-24', blendfile: '/a.blend', secret: 'x', addon_only: 'y', unknown: 1 };

describe('settingRows', () => {
  it('follows the job type: its order, its labels, its wish to hide', () => {
    const rows = settingRows(settings, jobType);
    expect(rows.map((row) => `${row.label}=${row.value}`)).toEqual(['Frames=1-24', 'Chunk size=3', 'Blend file=/a.blend']);
    expect(rows[0]?.description).toBe('Which frames');
  });

  it('shows everything when the job type is gone', () => {
    expect(settingRows(settings, null).map((row) => row.key)).toEqual(Object.keys(settings).sort());
  });

  it.each([
    [true, 'yes'],
    [false, 'no'],
    [1.5, '1.5'],
    ['<b>x</b>', '<b>x</b>'],
    [[1, 2], '[1,2]'],
    [null, 'null'],
  ])('%j is shown as %s', (value, expected) => {
    expect(settingRows({ a: value }, null)[0]?.value).toBe(expected);
  });
});
