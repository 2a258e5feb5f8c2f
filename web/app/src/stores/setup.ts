// The setup assistant: what was entered (kept over reloads of this tab), what the manager says about it, and saving.
import { defineStore } from 'pinia';
import { computed, reactive, shallowRef, watch } from 'vue';
import { api, take, takeBody, toRequestError, type RequestError } from '@/api/client';
import type { BlenderCheck, PathCheck, SetupChoices } from '@/api/types';
import { otherPlatforms, type PlatformName } from '@/lib/mixedFarm';
import { accessSettings, EMPTY_DRAFT, parseDraft, SKIPPED } from '@/lib/setup';
import { useReading } from './reading';
import { useSession } from './session';

const KEY = 'flamenco.setup';
/** How often to look whether the manager is back, and for how long, in milliseconds. */
const LOOK = 500;
const PATIENCE = 60_000;

export const useSetup = defineStore('setup', () => {
  /** Whether the manager wants to be set up; null as long as it was not asked. */
  const wanted = shallowRef<boolean | null>(null);
  const draft = reactive(parseDraft(sessionStorage.getItem(KEY)));
  watch(draft, () => sessionStorage.setItem(KEY, JSON.stringify(draft)));

  const asking = useReading(async (isWanted) => {
    const configuration = await takeBody(api.GET('/api/v3/configuration'));
    if (!isWanted()) return;
    wanted.value = configuration.isFirstRun;
    // A manager that is only set up anew has a storage already.
    if (draft.storage === '') draft.storage = configuration.storageLocation;
  });

  /** What the manager said about a path; about none that has changed since. */
  const storageCheck = shallowRef<PathCheck | null>(null);
  const checkingStorage = shallowRef(false);
  let storageTurn = 0;

  /** Has the manager try out the path that is typed. Whether it is usable; a later check makes this one void. */
  async function checkStorage(): Promise<boolean> {
    const mine = ++storageTurn;
    const path = draft.storage.trim();
    checkingStorage.value = true;
    try {
      const check = await takeBody(api.POST('/api/v3/configuration/check/shared-storage', { body: { path } }));
      if (mine !== storageTurn) return false;
      storageCheck.value = check;
      draft.usableStorage = check.is_usable ? path : '';
      return check.is_usable;
    } catch (cause) {
      if (mine === storageTurn) storageCheck.value = { path, is_usable: false, cause: toRequestError(cause).message };
      return false;
    } finally {
      if (mine === storageTurn) checkingStorage.value = false;
    }
  }

  function storageChanged(): void {
    storageTurn++;
    checkingStorage.value = false;
    storageCheck.value = null;
  }

  /** Every Blender that the manager finds; null as long as it searches. */
  const found = shallowRef<BlenderCheck[] | null>(null);
  const finding = useReading(async (isWanted) => {
    const turn = blenderTurn;
    const list = await takeBody(api.GET('/api/v3/configuration/check/blender'));
    if (!isWanted()) return;
    found.value = list;
    // The first that runs is what nearly everybody wants, but not who has begun to enter another one.
    if (turn === blenderTurn && draft.ownBlender === '') draft.blender ??= list.find((blender) => blender.is_usable) ?? null;
  });

  const blenderCheck = shallowRef<BlenderCheck | null>(null);
  const checkingBlender = shallowRef(false);
  let blenderTurn = 0;

  /** Has the manager try out the Blender that is typed, and chooses it if it runs. */
  async function checkBlender(): Promise<boolean> {
    const mine = ++blenderTurn;
    const path = draft.ownBlender.trim();
    checkingBlender.value = true;
    try {
      const check = await takeBody(api.POST('/api/v3/configuration/check/blender', { body: { path } }));
      if (mine !== blenderTurn) return false;
      blenderCheck.value = check;
      draft.blender = check.is_usable ? check : null;
      return check.is_usable;
    } catch (cause) {
      if (mine === blenderTurn) {
        blenderCheck.value = { input: path, path, source: 'input_path', is_usable: false, cause: toRequestError(cause).message };
      }
      return false;
    } finally {
      if (mine === blenderTurn) checkingBlender.value = false;
    }
  }

  /** Takes a Blender from the list, {@link SKIPPED}, or none. */
  function choose(blender: BlenderCheck | null): void {
    blenderTurn++;
    checkingBlender.value = false;
    blenderCheck.value = null;
    draft.blender = blender;
  }

  /** The platform of the manager; empty as long as it is not known. */
  const platform = shallowRef('');
  /** Whether files go through the Shaman store as it is configured now. */
  const shamanNow = shallowRef(false);
  const looking = useReading(async (isWanted) => {
    const state = await takeBody(api.GET('/api/v3/configuration/state'));
    if (!isWanted()) return;
    platform.value = state.platform;
    shamanNow.value = state.settings.find(({ key }) => key === 'shaman.enabled')?.value === 'true';
  });
  const shaman = computed(() => draft.shaman ?? shamanNow.value);
  const others = computed(() => otherPlatforms(draft.platforms, platform.value));

  function setPath(name: PlatformName, kind: 'storage' | 'blender', path: string): void {
    const before = draft.platforms[name] ?? { storage: '', blender: '' };
    draft.platforms = { ...draft.platforms, [name]: { ...before, [kind]: path } };
  }

  const phase = shallowRef<'editing' | 'saving' | 'restarting' | 'done'>('editing');
  const error = shallowRef<RequestError | null>(null);
  const busy = computed(() => phase.value !== 'editing' && phase.value !== 'done');

  /** The tokens that were set, for the last look at them. */
  const tokens = shallowRef<{ readonly admin: string; readonly artist: string; readonly forSubmitting: boolean } | null>(null);

  /** Saves the choices, and waits until the manager has started again with them. Whoever sets a token is signed in with it. */
  async function save(): Promise<void> {
    if (busy.value) return;
    phase.value = 'saving';
    error.value = null;
    const access = accessSettings(draft);
    const body: SetupChoices = {
      storageLocation: draft.usableStorage,
      blenderExecutable: draft.blender ?? SKIPPED,
      ...(draft.shaman !== null && { shamanEnabled: draft.shaman }),
      ...(others.value.length > 0 && { otherPlatforms: others.value }),
      ...(access && { access }),
    };
    try {
      await useSession().whileChanging(async () => {
        await store(body);
        phase.value = 'restarting';
        await untilSetUp();
      });
      if (access) tokens.value = { admin: draft.adminToken, artist: draft.artistToken, forSubmitting: draft.withoutToken !== 'artist' };
      phase.value = 'done';
      Object.assign(draft, EMPTY_DRAFT);
    } catch (cause) {
      phase.value = 'editing';
      error.value = toRequestError(cause);
    }
  }

  async function store(body: SetupChoices): Promise<void> {
    const storing = (): Promise<unknown> => take(api.POST('/api/v3/configuration/setup-assistant', { body }));
    try {
      await storing();
    } catch (cause) {
      // The choices were stored before, token and all, by a request whose answer was lost.
      if (!body.access || toRequestError(cause).status !== 401) throw cause;
      await useSession().signInAgain(body.access.admin_token);
      await storing();
    }
  }

  /** Tokens are in force as soon as they are stored: whoever has set them is signed in with them. */
  async function untilSetUp(): Promise<void> {
    const session = useSession();
    const end = Date.now() + PATIENCE;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      try {
        if (draft.access === 'tokens' && !session.signedIn) await session.signInAgain(draft.adminToken);
        const configuration = await takeBody(api.GET('/api/v3/configuration'));
        if (!configuration.isFirstRun) return;
      } catch (cause) {
        // It is not back yet.
        if (Date.now() > end) throw cause;
      }
      if (Date.now() > end) throw new Error('not set up');
    }
  }

  /** On to the farm. */
  function leave(): void {
    wanted.value = false;
  }

  return {
    wanted, draft, asking, leave,
    storageCheck, checkingStorage, checkStorage, storageChanged,
    found, finding, blenderCheck, checkingBlender, checkBlender, choose,
    platform, looking, shaman, others, setPath,
    phase, busy, error, tokens, save,
  };
});
