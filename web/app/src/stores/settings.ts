// The manager's configuration: what is in force, what is being edited, and saving it without undoing what others changed.
import { defineStore } from 'pinia';
import { computed, shallowRef } from 'vue';
import { api, take, takeBody, toRequestError } from '@/api/client';
import type { ConfigurationState } from '@/api/types';
import { changedKeys, fieldErrors, labelOf, problemsOf, rebase, valueAt, withValue, type Tree } from '@/lib/settings';
import { useReading } from './reading';
import { useSession } from './session';

export const useSettings = defineStore('settings', () => {
  /** As it was read. */
  const base = shallowRef<Tree>({});
  /** With what was edited since. */
  const draft = shallowRef<Tree>({});
  const saving = shallowRef(false);
  /** Why the manager did not take it, by key, and what belongs to no key. */
  const refused = shallowRef<ReadonlyMap<string, string>>(new Map());
  const failures = shallowRef<readonly string[]>([]);
  /** Labels of what somebody else changed while it was being edited here. */
  const conflicts = shallowRef<readonly string[]>([]);
  /** What the manager says of each setting: its value in force, its default, and where it comes from. */
  const state = shallowRef<ConfigurationState | null>(null);
  const states = computed(() => new Map(state.value?.settings.map((setting) => [setting.key, setting])));
  /** Labels of what is in the file and waits for a restart of the manager. */
  const waiting = computed(() => (state.value?.settings ?? []).filter((setting) => setting.waiting).map(({ key }) => labelOf(key)));
  const savedAt = shallowRef(0);

  const changed = computed(() => changedKeys(base.value, draft.value));
  const dirty = computed(() => changed.value.length > 0);
  const errors = computed(() => new Map([...refused.value, ...fieldErrors(draft.value)]));

  const reading = useReading(async (wanted) => {
    const [fresh, now] = await Promise.all([fetchTree(), fetchState()]);
    if (!wanted()) return;
    adopt(fresh);
    state.value = now;
  });

  /** Takes over what is in force now, below what is being edited. */
  function adopt(fresh: Tree): string[] {
    const { merged, conflicts: both } = rebase(base.value, draft.value, fresh);
    draft.value = dirty.value ? merged : fresh;
    base.value = fresh;
    if (both.length > 0) conflicts.value = [...new Set([...conflicts.value, ...both.map(labelOf)])];
    return both;
  }

  function set(key: string, value: unknown): void {
    draft.value = withValue(draft.value, key, value);
    forget(key);
  }

  function setVariables(variables: Tree): void {
    draft.value = { ...draft.value, variables };
    refused.value = new Map([...refused.value].filter(([key]) => !key.startsWith('variables')));
  }

  /** What the manager said about a value says nothing about another one. */
  function forget(key: string): void {
    savedAt.value = 0;
    if (!refused.value.has(key)) return;
    const others = new Map(refused.value);
    others.delete(key);
    refused.value = others;
  }

  function undo(): void {
    draft.value = base.value;
    refused.value = new Map();
    failures.value = [];
    conflicts.value = [];
  }

  /**
   * Saves what was edited. First looks whether somebody else has saved meanwhile: what they changed elsewhere is kept,
   * and if they changed the same, nothing is saved and the conflict is shown; the next save is then meant.
   */
  async function save(): Promise<void> {
    if (saving.value || !dirty.value) return;
    saving.value = true;
    failures.value = [];
    try {
      if (adopt(await fetchTree()).length > 0) return;
      await put(changed.value);
      refused.value = new Map();
      conflicts.value = [];
      savedAt.value = Date.now();
      // A secret is masked from now on, and the manager may write values in another way.
      const [fresh, now] = await Promise.all([fetchTree(), fetchState()]);
      base.value = fresh;
      draft.value = fresh;
      state.value = now;
    } catch (cause) {
      const { byKey, rest } = problemsOf(toRequestError(cause).message);
      refused.value = byKey;
      failures.value = rest;
    } finally {
      saving.value = false;
    }
  }

  /** Saves, and stays signed in when that changes the admin token or what can be done without one. */
  async function put(asked: readonly string[]): Promise<void> {
    const session = useSession();
    const body = draft.value;
    const change = (): Promise<unknown> => take(api.PUT('/api/v3/configuration/file', { body }));
    const token = String(valueAt(body, 'access.admin_token') ?? '');
    if (asked.includes('access.admin_token') && token !== '') return session.keepSignedIn(token, change);
    await change();
    if (asked.some((key) => key.startsWith('access.'))) await session.check();
  }

  return {
    base, draft, changed, dirty, errors, refused, failures, conflicts, state, states, waiting, saving, savedAt, reading,
    set, setVariables, undo, save,
  };
});

async function fetchState(): Promise<ConfigurationState> {
  return takeBody(api.GET('/api/v3/configuration/state'));
}

async function fetchTree(): Promise<Tree> {
  return (await takeBody(api.GET('/api/v3/configuration/file', { headers: { Accept: 'application/json' } }))) as Tree;
}
