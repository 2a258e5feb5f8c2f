import { describe, expect, it } from 'vitest';
import type { Version } from '@/api/types';
import { versionMismatch } from './versions';

const manager: Version = { name: 'Farm', version: '1.2.3-dev (abc)', shortversion: '1.2.3', git: 'abc' };

describe('versionMismatch', () => {
  it.each([
    ['1.2.3', manager],
    [' 1.2.3 ', manager],
    ['1.2.3-dev (abc)', manager],
    ['', manager],
    ['1.2.3', null],
    ['1.2.3', { ...manager, version: '', shortversion: '' }],
  ] as [string, Version | null][])('is silent about %s', (worker, version) => {
    expect(versionMismatch(worker, version)).toBe('');
  });

  it.each([
    ['1.2.2', manager, 'The worker runs 1.2.2, and the manager runs 1.2.3.'],
    ['3.9-beta1 (v3.9)', manager, 'The worker runs 3.9-beta1 (v3.9), and the manager runs 1.2.3.'],
    ['1', { ...manager, shortversion: '' }, 'The worker runs 1, and the manager runs 1.2.3-dev (abc).'],
  ] as [string, Version, string][])('names both versions for %s', (worker, version, text) => {
    expect(versionMismatch(worker, version)).toContain(text);
  });
});
