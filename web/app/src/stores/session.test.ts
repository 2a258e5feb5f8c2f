import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { api, take } from '@/api/client';
import { fakeManager, type FakeManager } from './fakeManager';
import { useSession } from './session';

let manager: FakeManager;
beforeEach(() => {
  setActivePinia(createPinia());
  manager = fakeManager();
});
afterEach(() => vi.unstubAllGlobals());

function answers(token_required: boolean, signed_in: boolean): void {
  manager.answer('GET /api/v3/session', { body: { token_required, signed_in } });
}

describe('session', () => {
  it.each([
    [false, true, 'open'],
    [true, false, 'locked'],
    [true, true, 'open'],
  ])('token required: %s, signed in: %s', async (required, signedIn, state) => {
    answers(required, signedIn);
    const session = useSession();
    expect(session.state).toBe('unknown');
    await session.check();
    expect([session.state, session.tokenRequired]).toEqual([state, required]);
  });

  it('leaves it to the pages to report a manager that does not answer', async () => {
    manager.answer('GET /api/v3/session', { status: 500, body: { code: 500, message: 'broken' } });
    await useSession().check();
    expect(useSession().state).toBe('open');
  });

  it('is locked as soon as any request is refused', async () => {
    answers(true, true);
    const session = useSession();
    await session.check();
    manager.answer('GET /api/v3/jobs', { status: 401, body: { code: 401, message: 'this manager wants its admin token' } });
    await expect(take(api.GET('/api/v3/jobs'))).rejects.toMatchObject({ status: 401 });
    expect(session.state).toBe('locked');
  });

  it('opens with the right token only', async () => {
    answers(true, false);
    const session = useSession();
    await session.check();
    manager.answer('POST /api/v3/session', { status: 401, body: { code: 401, message: 'this is not the admin token' } });
    await expect(session.signIn('guess')).rejects.toMatchObject({ message: 'this is not the admin token' });
    expect(session.state).toBe('locked');

    manager.answer('POST /api/v3/session', { status: 204 });
    await expect(session.signIn('right')).rejects.toMatchObject({ message: expect.stringContaining('cookie') });
    answers(true, true);
    await session.signIn('right');
    expect(session.state).toBe('open');
    expect(manager.bodies).toEqual([{ token: 'guess' }, { token: 'right' }, { token: 'right' }]);
  });

  it('can be ended', async () => {
    answers(true, true);
    const session = useSession();
    await session.check();
    manager.answer('DELETE /api/v3/session', { status: 204 });
    await session.signOut();
    expect(session.state).toBe('locked');
  });
});
