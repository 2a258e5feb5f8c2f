import { describe, expect, it } from 'vitest';
import { classifyLine } from './logLines';

describe('classifyLine', () => {
  it.each([
    ['Error: Cannot read file', 'error'],
    ['Traceback (most recent call last):', 'error'],
    ['2026-03-20T12:00:00Z task changed status active -> failed', 'error'],
    ['finished with 0 errors', 'plain'],
    ['Warning: texture is missing', 'warning'],
    ['00:00.514  render           | WARN no device', 'warning'],
    ['2026-03-20T12:00:00.123Z task changed status queued -> active', 'manager'],
    ['2026-03-20T12:00:00+02:00 assigned to worker', 'manager'],
    ["Saved: '/render/000001.png'", 'output'],
    ["00:00.514  render           | Saved: '/render/error_0001.png'", 'output'],
    ["pid=14046 > Saved: '/render/000003.png'", 'output'],
    ['pid=14366 > Error: Cannot read file', 'error'],
    ['/usr/bin/blender exited abnormally with code 1', 'error'],
    ['Fra:1 Mem:12.00M | Time:00:00.08', 'plain'],
    ['terrors of the deep', 'plain'],
    ['', 'plain'],
  ])('%s', (line, expected) => {
    expect(classifyLine(line)).toBe(expected);
  });
});
