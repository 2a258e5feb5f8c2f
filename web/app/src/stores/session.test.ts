import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { api, take } from '@/api/client';
import type { Role } from '@/lib/roles';
import { fakeManager, type FakeManager } from './fakeManager';
import { useNotifications } from './notifications';
import { useSession } from './session';

let manager: FakeManager;
beforeEach(() => {
  localStorage.clear();
  setActivePinia(createPinia());
  manager = fakeManager();
});
afterEach(() => vi.unstubAllGlobals());

const SESSION = '/api/v3/session';
const OPEN = { token_required: false, signed_in: true, role: 'admin', token_shown: false, without_token: 'admin' };

/** What the manager tells of the session, once it has an admin token. */
function answers(role: Role, token_shown: boolean, without_token: Role = 'none', name?: string): void {
  manager.answer(`GET ${SESSION}`, { body: { token_required: true, signed_in: role !== 'none', role, token_shown, without_token, name } });
}
async function checked(): Promise<ReturnType<typeof useSession>> {
  const session = useSession();
  await session.check();
  return session;
}

describe('session', () => {
  it('is one of an admin where no token is wanted', async () => {
    manager.answer(`GET ${SESSION}`, { body: OPEN });
    const session = useSession();
    expect(session.state).toBe('unknown');
    await session.check();
    expect([session.state, session.role, session.signedIn, session.tokenRequired]).toEqual(['open', 'admin', false, false]);
  });

  it.each<[Role, boolean, Role, string]>([
    ['none', false, 'none', 'locked'],
    ['viewer', false, 'viewer', 'open'],
    ['viewer', true, 'none', 'open'],
    ['artist', true, 'viewer', 'open'],
    ['admin', true, 'none', 'open'],
  ])('role %s, token shown: %s, without one: %s', async (role, shown, without, state) => {
    answers(role, shown, without, shown ? 'Lighting' : undefined);
    const session = await checked();
    expect([session.state, session.role, session.signedIn, session.withoutToken, session.name]).toEqual([state, role, shown, without, shown ? 'Lighting' : '']);
    expect(session.may('change settings')).toBe(role === 'admin');
    expect(session.whyNot('look')).toBe(role === 'none' ? 'To look, sign in with a token of the role viewer' : '');
  });

  it('asks anew after signing in for what was refused while the page was loading', async () => {
    // A stand-in: a real one would be fetched by the test's document.
    const link = { href: 'http://manager.test/api/v3/configuration', remove: () => links.pop() };
    const links = [link];
    vi.spyOn(document, 'querySelectorAll').mockImplementation(() => [...links] as unknown as NodeListOf<Element>);
    answers('viewer', true);
    await checked();
    expect(links).toHaveLength(1);
    answers('none', false);
    const fetched: string[] = [];
    const ask = globalThis.fetch;
    vi.stubGlobal('fetch', (request: Request | string) => (typeof request === 'string' ? (fetched.push(new URL(request).pathname), Promise.reject(new TypeError('away'))) : ask(request)));
    await checked();
    await checked();
    expect([links, fetched]).toEqual([[], ['/api/v3/configuration']]);
    vi.restoreAllMocks();
  });

  it('lets in whom a manager without roles lets in', async () => {
    manager.answer(`GET ${SESSION}`, { body: { token_required: true, signed_in: true } });
    const session = await checked();
    expect([session.state, session.role, session.signedIn]).toEqual(['open', 'admin', true]);
  });

  it('leaves it to the pages to report a manager that does not answer', async () => {
    manager.answer(`GET ${SESSION}`, { status: 500, body: { code: 500, message: 'broken' } });
    const session = await checked();
    expect([session.state, session.role]).toEqual(['open', 'admin']);
  });

  it('is locked as soon as any request is refused', async () => {
    answers('admin', true);
    const session = await checked();
    manager.answer('GET /api/v3/jobs', { status: 401, body: { code: 401, message: 'this manager wants a token' } });
    await expect(take(api.GET('/api/v3/jobs'))).rejects.toMatchObject({ status: 401 });
    expect(session.state).toBe('locked');
  });

  it('goes on with what can be done without a token when the token counts no longer', async () => {
    answers('admin', true, 'viewer', 'Lighting');
    const session = await checked();
    answers('viewer', false, 'viewer');
    manager.answer('GET /api/v3/configuration/file', { status: 401, body: { code: 401, message: 'this needs the role admin' } });
    await expect(take(api.GET('/api/v3/configuration/file'))).rejects.toMatchObject({ message: 'this needs the role admin' });
    await vi.waitFor(() => expect(session.role).toBe('viewer'));
    expect([session.state, session.signedIn]).toEqual(['open', false]);
    expect(useNotifications().toasts.map(({ text }) => text)).toEqual([expect.stringContaining('signed out')]);
  });

  it('learns of another role when the manager says that it is not enough, and shows its words', async () => {
    answers('admin', true);
    const session = await checked();
    answers('artist', true);
    manager.answer('GET /api/v3/audit', { status: 403, body: { code: 403, message: 'this needs the role admin, and you are artist' } });
    await expect(take(api.GET('/api/v3/audit'))).rejects.toMatchObject({ message: 'this needs the role admin, and you are artist' });
    await vi.waitFor(() => expect(session.role).toBe('artist'));
    expect(session.state).toBe('open');
  });

  it('opens with the right token only, and remembers the name', async () => {
    answers('none', false);
    const session = await checked();
    manager.answer(`POST ${SESSION}`, { status: 401, body: { code: 401, message: 'this is not a token of this manager' } });
    await expect(session.signIn('guess')).rejects.toMatchObject({ message: 'this is not a token of this manager' });
    expect(session.state).toBe('locked');

    manager.answer(`POST ${SESSION}`, { status: 204 });
    await expect(session.signIn('right')).rejects.toMatchObject({ message: expect.stringContaining('cookie') });
    expect(session.usualName).toBe('');
    answers('artist', true, 'none', 'Lighting');
    await session.signIn('right', ' Lighting ');
    expect([session.state, session.role, session.name, session.usualName]).toEqual(['open', 'artist', 'Lighting', 'Lighting']);
    expect(manager.bodies).toEqual([{ token: 'guess' }, { token: 'right' }, { token: 'right', name: 'Lighting' }]);
  });

  it('says that a browser kept no cookie, also where a token is not needed', async () => {
    answers('viewer', false, 'viewer');
    const session = await checked();
    manager.answer(`POST ${SESSION}`, { status: 204 });
    await expect(session.signIn('right')).rejects.toMatchObject({ message: expect.stringContaining('cookie') });
    expect(session.state).toBe('open');
  });

  it.each<[Role, string]>([
    ['none', 'locked'],
    ['viewer', 'open'],
  ])('can be ended, which leaves the role %s', async (without, state) => {
    answers('admin', true, without);
    const session = await checked();
    manager.answer(`DELETE ${SESSION}`, { status: 204 });
    answers(without, false, without);
    await session.leave();
    expect([session.state, session.role, session.signedIn]).toEqual([state, without, false]);
    expect(useNotifications().toasts).toEqual([]);
  });

  it('that cannot be ended says so', async () => {
    answers('admin', true);
    const session = await checked();
    manager.answer(`DELETE ${SESSION}`, { status: 500, body: { code: 500, message: 'broken' } });
    await session.leave();
    expect(session.state).toBe('open');
    expect(useNotifications().toasts.map(({ text }) => text)).toEqual(['Not signed out: broken']);
  });
});
