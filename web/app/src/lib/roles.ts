// What each role may do on the pages. The manager has the last word; this decides what is offered. Pure.

export type Role = 'none' | 'viewer' | 'artist' | 'admin';

/** Each role may do what those before it may. */
export const ROLES: readonly Role[] = ['none', 'viewer', 'artist', 'admin'];

/** What pages let people do, and the least role for it. */
export const NEEDED = {
  'look': 'viewer',
  'submit jobs': 'artist',
  'change jobs': 'artist',
  'change tasks': 'artist',
  'change frames': 'artist',
  'delete old jobs': 'admin',
  'change workers': 'admin',
  'change tags': 'admin',
  'change settings': 'admin',
  'read the audit trail': 'admin',
  'read the log of the manager': 'admin',
} as const satisfies Record<string, Role>;
export type Deed = keyof typeof NEEDED;

export function mayRole(role: Role, deed: Deed): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(NEEDED[deed]);
}

/** Why somebody may not do something, for a title; empty if they may. */
export function whyNot(role: Role, deed: Deed, signedIn: boolean): string {
  if (mayRole(role, deed)) return '';
  const needed = NEEDED[deed];
  return signedIn
    ? `To ${deed} takes the role ${needed}; you are signed in as ${role}`
    : `To ${deed}, sign in with a token of the role ${needed}`;
}

/** What a role is for, to end a sentence with. */
export const ROLE_WORDS: Readonly<Record<Role, string>> = {
  none: 'may do nothing',
  viewer: 'may look at everything',
  artist: 'may submit and change jobs',
  admin: 'may do everything',
};

/** What the manager calls a role; a manager from before there were roles lets in whoever is signed in as admin. */
export function readRole(told: string | undefined, signedIn: boolean): Role {
  return ROLES.find((role) => role === told) ?? (signedIn ? 'admin' : 'none');
}

/** Where to go after signing in: a page of this app, or home. */
export function returnPath(to: unknown): string {
  return typeof to === 'string' && /^\/(?![\/\\])/.test(to) && !to.startsWith('/sign-in') ? to : '/';
}
