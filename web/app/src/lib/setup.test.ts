import { describe, expect, it } from 'vitest';
import type { BlenderCheck } from '@/api/types';
import { allowedStep, choiceTitle, EMPTY_DRAFT, furthestStep, isReachable, neighbour, parseDraft, SKIPPED, STEPS, type Draft } from './setup';

const blender: BlenderCheck = { input: 'blender', path: '/usr/bin/blender', source: 'path_envvar', is_usable: true, cause: 'Blender 4.5' };
const stored: Draft = { ...EMPTY_DRAFT, storage: ' /mnt/farm ', usableStorage: '/mnt/farm' };

describe('steps', () => {
  it.each<[string, Draft, string]>([
    ['nothing', EMPTY_DRAFT, 'storage'],
    ['a path that was not checked', { ...EMPTY_DRAFT, storage: '/mnt/farm' }, 'storage'],
    ['a path that was changed after the check', { ...stored, storage: '/mnt/other' }, 'storage'],
    ['a usable path', stored, 'blender'],
    ['a Blender that does not run', { ...stored, blender: { ...blender, is_usable: false } }, 'blender'],
    ['both', { ...stored, blender }, 'review'],
    ['a path that is none on its platform', { ...stored, blender, platforms: { windows: { storage: '/mnt', blender: '' } } }, 'platforms'],
    ['Blender skipped', { ...stored, blender: SKIPPED }, 'review'],
    ['a Blender, but no path', { ...EMPTY_DRAFT, blender }, 'storage'],
  ])('after entering %s', (_, draft, step) => {
    expect(furthestStep(draft)).toBe(step);
    expect(STEPS.filter((one) => isReachable(one, draft)).at(-1)).toBe(step);
  });

  it('an address never leads further than what was entered', () => {
    expect(allowedStep('review', EMPTY_DRAFT)).toBe('storage');
    expect(allowedStep('review', stored)).toBe('blender');
    expect(allowedStep('storage', { ...stored, blender })).toBe('storage');
    expect(allowedStep('nonsense', stored)).toBe('welcome');
    expect(allowedStep(undefined, stored)).toBe('welcome');
  });

  it('have an order', () => {
    expect([neighbour('welcome', -1), neighbour('welcome', 1), neighbour('review', 1)]).toEqual([null, 'storage', null]);
  });
});

describe('a draft from an earlier visit', () => {
  it('comes back', () => {
    const draft = { ...stored, blender, ownBlender: '/opt/b', shaman: false, platforms: { darwin: { storage: '/Volumes/farm', blender: '' } } };
    expect(parseDraft(JSON.stringify(draft))).toEqual(draft);
  });

  it.each([null, '', 'null', '3', '{', '{"storage": 3}', '{"blender": "x"}', '{"blender": {"path": 1}}', '{"shaman": 1}', '{"platforms": [1]}', '[]'])('is forgotten when it is %s', (text) => {
    expect(parseDraft(text)).toEqual(EMPTY_DRAFT);
  });
});

it('every choice has a name', () => {
  const names = (['file_association', 'path_envvar', 'system_location', 'input_path', 'default'] as const).map((source) => choiceTitle({ ...blender, source }));
  expect(new Set(names).size).toBe(5);
  expect(names[1]).toContain('blender');
});
