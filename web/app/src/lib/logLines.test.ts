import { describe, expect, it } from 'vitest';
import { classifyLine, savedFile } from './logLines';

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

describe('the file in a line about a saved file', () => {
  it.each([
    [`Saved: '/r/000001.png'`, '/r/000001.png'],
    [`pid=123 > Saved: '/r/it's.png'`, `/r/it's.png`],
    [`00:00.514  render           | Saved: '/r/a.exr'`, '/r/a.exr'],
    [`Saved: "C:\\r\\a.png"`, 'C:\\r\\a.png'],
  ])('%s', (line, path) => {
    const found = savedFile(line);
    expect(found?.path).toBe(path);
    expect(line.slice(found?.from, found?.to)).toBe(path);
  });
  it.each([['Fra:1 Mem:3M'], [`Info: Saved "b.blend"`], ['Saved: nothing'], [`Saved: ''`]])('none in %s', (line) => expect(savedFile(line)).toBeUndefined());
});
