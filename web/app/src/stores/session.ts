// Whether this browser may use the manager. Without a token in its configuration, everybody may.
import { defineStore } from 'pinia';
import { shallowRef } from 'vue';
import { api, onRefused, RequestError, take, takeBody } from '@/api/client';

export const useSession = defineStore('session', () => {
  /** `unknown` until the manager was asked; `locked` while it wants a token that it has not been shown. */
  const state = shallowRef<'unknown' | 'open' | 'locked'>('unknown');
  /** Whether there is something to sign out of. */
  const tokenRequired = shallowRef(false);

  // The token was changed, or the cookie has expired.
  onRefused(() => {
    tokenRequired.value = true;
    state.value = 'locked';
  });

  async function check(): Promise<void> {
    try {
      const session = await takeBody(api.GET('/api/v3/session'));
      tokenRequired.value = session.token_required;
      state.value = session.signed_in ? 'open' : 'locked';
    } catch {
      // The pages themselves say what is wrong with the manager, and try again.
      state.value = 'open';
    }
  }

  /** Signs in; throws a {@link RequestError} when the token is not right. */
  async function signIn(token: string): Promise<void> {
    await take(api.POST('/api/v3/session', { body: { token } }));
    await check();
    if (state.value === 'locked') throw new RequestError('This browser did not keep the cookie of the session. Allow cookies for this page.', 401);
  }

  async function signOut(): Promise<void> {
    await take(api.DELETE('/api/v3/session'));
    state.value = 'locked';
  }

  return { state, tokenRequired, check, signIn, signOut };
});
