import { describe, expect, it } from 'vitest';
import { mayRole, NEEDED, readRole, returnPath, ROLES, whyNot, type Deed, type Role } from './roles';

// One line a deed: who may do it.
const WHO: Record<Deed, Role[]> = {
  'look': ['viewer', 'artist', 'admin'],
  'submit jobs': ['artist', 'admin'],
  'change jobs': ['artist', 'admin'],
  'change tasks': ['artist', 'admin'],
  'change frames': ['artist', 'admin'],
  'delete old jobs': ['admin'],
  'change workers': ['admin'],
  'change tags': ['admin'],
  'change settings': ['admin'],
  'read the audit trail': ['admin'],
  'read the log of the manager': ['admin'],
};

describe('roles', () => {
  it.each(Object.keys(NEEDED) as Deed[])('who may %s', (deed) => {
    expect(ROLES.filter((role) => mayRole(role, deed))).toEqual(WHO[deed]);
  });

  it('say why something is not offered, and what to do about it', () => {
    expect(whyNot('admin', 'change workers', true)).toBe('');
    expect(whyNot('viewer', 'change workers', true)).toBe('To change workers takes the role admin; you are signed in as viewer');
    expect(whyNot('viewer', 'change jobs', false)).toBe('To change jobs, sign in with a token of the role artist');
  });

  it.each<[string | undefined, boolean, Role]>([
    ['artist', true, 'artist'],
    ['viewer', false, 'viewer'],
    ['none', false, 'none'],
    [undefined, true, 'admin'],
    [undefined, false, 'none'],
    ['emperor', false, 'none'],
  ])('told %s, signed in: %s', (told, signedIn, role) => expect(readRole(told, signedIn)).toBe(role));

  it.each<[unknown, string]>([
    ['/jobs?q=x#y', '/jobs?q=x#y'],
    ['/', '/'],
    ['/sign-in?to=/jobs', '/'],
    ['//elsewhere.example/', '/'],
    ['/\\elsewhere.example/', '/'],
    ['https://elsewhere.example/', '/'],
    [undefined, '/'],
    [['/jobs'], '/'],
  ])('after signing in, %s leads to %s', (to, path) => expect(returnPath(to)).toBe(path));
});
