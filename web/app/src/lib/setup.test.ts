import { describe, expect, it } from 'vitest';
import type { BlenderCheck } from '@/api/types';
import { accessSettings, allowedStep, choiceTitle, EMPTY_DRAFT, furthestStep, isReachable, neighbour, parseDraft, setAccess, setArtistToken, SKIPPED, STEPS, type Draft } from './setup';

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

describe('who may use the farm', () => {
  const [first, second] = [() => 'first-token', () => 'second-token'];

  it('is everybody, unless somebody says otherwise, and then nothing is set', () => expect(accessSettings(EMPTY_DRAFT)).toBeUndefined());

  it('a token that may have been copied already stays the same', () => {
    const chosen = { ...stored, ...setAccess(stored, 'tokens', first) };
    expect(chosen).toMatchObject({ access: 'tokens', adminToken: 'first-token' });
    const again = { ...chosen, ...setAccess({ ...chosen, ...setAccess(chosen, 'everybody', second) }, 'tokens', second) };
    expect(again.adminToken).toBe('first-token');
    expect(accessSettings({ ...again, access: 'everybody' })).toBeUndefined();
    expect(accessSettings(again)).toEqual({ admin_token: 'first-token', artist_token: '', without_token: 'nothing' });
  });

  it('artists get one of their own, or none', () => {
    const chosen = { ...stored, ...setAccess(stored, 'tokens', first), withoutToken: 'viewer' as const };
    const both = { ...chosen, ...setArtistToken(chosen, true, second) };
    expect(accessSettings(both)).toEqual({ admin_token: 'first-token', artist_token: 'second-token', without_token: 'viewer' });
    expect(setArtistToken(both, true, first)).toEqual({ artistToken: 'second-token' });
    expect(setArtistToken(both, false, first)).toEqual({ artistToken: '' });
  });
});

describe('a draft from an earlier visit', () => {
  it('comes back', () => {
    const draft: Draft = { ...stored, blender, access: 'tokens', adminToken: 'made-up', withoutToken: 'viewer', ownBlender: '/opt/b', shaman: false, platforms: { darwin: { storage: '/Volumes/farm', blender: '' } } };
    expect(parseDraft(JSON.stringify(draft))).toEqual(draft);
  });

  it.each([null, '', 'null', '3', '{', '{"storage": 3}', '{"blender": "x"}', '{"blender": {"path": 1}}', '{"access": "nobody"}', '{"access": "tokens"}', '{"withoutToken": "admin"}', '{"artistToken": null}', '{"shaman": 1}', '{"platforms": [1]}', '[]'])('is forgotten when it is %s', (text) => {
    expect(parseDraft(text)).toEqual(EMPTY_DRAFT);
  });
});

it('every choice has a name', () => {
  const names = (['file_association', 'path_envvar', 'system_location', 'input_path', 'default'] as const).map((source) => choiceTitle({ ...blender, source }));
  expect(new Set(names).size).toBe(5);
  expect(names[1]).toContain('blender');
});
