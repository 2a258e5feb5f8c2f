// Who uses this browser, and what they may do. Without a token in the manager's configuration, everybody is an admin.
import { defineStore } from 'pinia';
import { shallowRef } from 'vue';
import { api, onRefused, RequestError, take, takeBody, toRequestError, useUpPreloads } from '@/api/client';
import { remembered } from '@/lib/remembered';
import { mayRole, readRole, whyNot, type Deed, type Role } from '@/lib/roles';
import { useNotifications } from './notifications';

export const useSession = defineStore('session', () => {
  /** `unknown` until the manager was asked; `locked` while it wants a token that it has not been shown. */
  const state = shallowRef<'unknown' | 'open' | 'locked'>('unknown');
  /** Whether there is something to sign in to. */
  const tokenRequired = shallowRef(false);
  /** Until the manager has told, everything is offered: it has the last word. */
  const role = shallowRef<Role>('admin');
  /** As given when signing in; may be empty. */
  const name = shallowRef('');
  /** Whether somebody is signed in, and so can sign out. */
  const signedIn = shallowRef(false);
  /** What can be done without a token. */
  const withoutToken = shallowRef<Role>('none');
  /** The name that was given last in this browser. */
  const usualName = remembered('sign-in-name', '');

  /** While the token of this very session is being changed, what is refused says nothing. */
  let changing = false;

  onRefused((status) => {
    if (changing) return;
    // The token was changed, or the cookie has expired.
    if (status === 401 && withoutToken.value === 'none') {
      tokenRequired.value = true;
      state.value = 'locked';
      return;
    }
    // A role that may not do what was offered is another one than this page knows.
    void refresh();
  });

  async function refresh(): Promise<void> {
    const before = signedIn.value;
    await check();
    if (before && !signedIn.value && state.value === 'open') {
      useNotifications().show({ level: 'warning', text: 'You are signed out: the token you signed in with counts no longer.' });
    }
  }

  async function check(): Promise<void> {
    try {
      const session = await takeBody(api.GET('/api/v3/session'));
      tokenRequired.value = session.token_required;
      role.value = readRole(session.role, session.signed_in);
      name.value = session.name ?? '';
      signedIn.value = session.token_required && (session.token_shown ?? session.signed_in);
      withoutToken.value = readRole(session.without_token, !session.token_required);
      state.value = role.value === 'none' ? 'locked' : 'open';
      if (role.value === 'none') useUpPreloads();
    } catch {
      // The pages themselves say what is wrong with the manager, and try again.
      if (state.value === 'unknown') state.value = 'open';
    }
  }

  /** Signs in; throws a {@link RequestError} when the token is not right. */
  async function signIn(token: string, as = ''): Promise<void> {
    const given = as.trim();
    await take(api.POST('/api/v3/session', { body: { token, ...(given === '' ? {} : { name: given }) } }));
    await check();
    if (state.value === 'locked' || (tokenRequired.value && !signedIn.value)) {
      throw new RequestError('This browser did not keep the cookie of the session. Allow cookies for this page.', 401);
    }
    usualName.value = given;
  }

  /** Makes a change of who may use the farm; what is refused meanwhile locks nobody out. */
  async function whileChanging(change: () => Promise<unknown>): Promise<void> {
    changing = true;
    try {
      await change();
    } finally {
      changing = false;
    }
  }

  /** Makes a change after which admins need this token, and signs in with it, under the name as before. */
  async function keepSignedIn(token: string, change: () => Promise<unknown>): Promise<void> {
    await whileChanging(async () => {
      await change();
      await signInAgain(token);
    });
  }

  /** Signs in under the name as before. */
  async function signInAgain(token: string): Promise<void> {
    await signIn(token, name.value || usualName.value);
  }

  /** Signs out, which leaves what can be done without a token. */
  async function signOut(): Promise<void> {
    await take(api.DELETE('/api/v3/session'));
    // Whatever comes of the question: nobody is signed in any more.
    signedIn.value = false;
    if (withoutToken.value === 'none') state.value = 'locked';
    await check();
  }

  /** Signs out at a person's wish, and tells when that failed. */
  async function leave(): Promise<void> {
    try {
      await signOut();
    } catch (cause) {
      useNotifications().show({ level: 'error', text: `Not signed out: ${toRequestError(cause).message}` });
    }
  }

  return {
    state, tokenRequired, role, name, signedIn, withoutToken, usualName, check, refresh, signIn, signInAgain, signOut, leave, whileChanging, keepSignedIn,
    may: (deed: Deed): boolean => mayRole(role.value, deed),
    /** Why something is not offered, for a title; empty if it is. */
    whyNot: (deed: Deed): string => whyNot(role.value, deed, signedIn.value),
  };
});
