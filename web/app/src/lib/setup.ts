// The setup assistant's steps, and what may follow what. Pure.
import type { BlenderCheck, SetupAccess } from '@/api/types';
import { isPaths, PLATFORMS, storageError, type Paths } from './mixedFarm';

export const STEPS = ['welcome', 'storage', 'blender', 'platforms', 'access', 'review'] as const;
export type Step = (typeof STEPS)[number];

export const STEP_TITLES: Record<Step, string> = {
  welcome: 'Welcome',
  storage: 'Shared storage',
  blender: 'Blender',
  platforms: 'Files and platforms',
  access: 'Who may use it',
  review: 'Review',
};

/** What was entered so far. */
export interface Draft {
  /** The path of the shared storage, as typed. */
  storage: string;
  /** The path that the manager found usable; empty when it did not. */
  usableStorage: string;
  /** The Blender that was chosen, or null when none was yet. */
  blender: BlenderCheck | null;
  /** A path of one's own, as typed. */
  ownBlender: string;
  /** Whether submitted files go through the Shaman store; null leaves that as it is. */
  shaman: boolean | null;
  /** What other platforms call the storage and Blender. */
  platforms: Paths;
  /** Who may use the farm: everybody, or people with a token. */
  access: 'everybody' | 'tokens';
  /** Made up when it was first wanted, and kept, because it may have been copied since. */
  adminToken: string;
  /** Empty when artists get none. */
  artistToken: string;
  withoutToken: WithoutToken;
}

export type WithoutToken = 'nothing' | 'viewer' | 'artist';

/** What can be done without a token, to end a sentence with. */
export const WITHOUT_TOKEN: Readonly<Record<WithoutToken, string>> = {
  nothing: 'do nothing',
  viewer: 'look at everything, and change nothing',
  artist: 'submit and change jobs, as add-ons without a token do',
};

export const EMPTY_DRAFT: Draft = {
  storage: '',
  usableStorage: '',
  blender: null,
  ownBlender: '',
  shaman: null,
  platforms: {},
  access: 'everybody',
  adminToken: '',
  artistToken: '',
  withoutToken: 'nothing',
};

/** Workers use whatever Blender they find. */
export const SKIPPED: BlenderCheck = { input: '', path: '', source: 'default', is_usable: true, cause: '' };

export function isStep(name: unknown): name is Step {
  return STEPS.some((step) => step === name);
}

export function storageIsSettled(draft: Draft): boolean {
  return draft.usableStorage !== '' && draft.usableStorage === draft.storage.trim();
}

export function blenderIsSettled(draft: Draft): boolean {
  return draft.blender?.is_usable === true;
}

export function platformsAreSettled(draft: Draft): boolean {
  return PLATFORMS.every(({ name }) => storageError(name, draft.platforms[name]?.storage ?? '') === '');
}

/** The last step that can be shown with what was entered so far. */
export function furthestStep(draft: Draft): Step {
  if (!storageIsSettled(draft)) return 'storage';
  if (!blenderIsSettled(draft)) return 'blender';
  return platformsAreSettled(draft) ? 'review' : 'platforms';
}

export function isReachable(step: Step, draft: Draft): boolean {
  return STEPS.indexOf(step) <= STEPS.indexOf(furthestStep(draft));
}

/** The step to show for an address: itself, or the last one that makes sense before it. */
export function allowedStep(name: unknown, draft: Draft): Step {
  if (!isStep(name)) return 'welcome';
  return isReachable(name, draft) ? name : furthestStep(draft);
}

/** The draft with another answer to who may use the farm; `make` makes a token, of which none is needed twice. */
export function setAccess(draft: Draft, access: Draft['access'], make: () => string): Partial<Draft> {
  return { access, adminToken: access === 'tokens' && draft.adminToken === '' ? make() : draft.adminToken };
}

export function setArtistToken(draft: Draft, wanted: boolean, make: () => string): Partial<Draft> {
  if (!wanted) return { artistToken: '' };
  return { artistToken: draft.artistToken === '' ? make() : draft.artistToken };
}

/** What is to be said about who may use the farm; undefined when that stays as it is. */
export function accessSettings(draft: Draft): SetupAccess | undefined {
  if (draft.access === 'everybody') return undefined;
  return { admin_token: draft.adminToken, artist_token: draft.artistToken, without_token: draft.withoutToken };
}

export function neighbour(step: Step, distance: 1 | -1): Step | null {
  return STEPS[STEPS.indexOf(step) + distance] ?? null;
}

/** What a choice means, in a few words. */
export function choiceTitle(blender: BlenderCheck): string {
  switch (blender.source) {
    case 'file_association':
      return 'The Blender that opens .blend files';
    case 'path_envvar':
      return `The command “${blender.input || 'blender'}”`;
    case 'system_location':
      return 'The Blender in its usual place';
    case 'input_path':
      return 'A Blender of your choice';
    case 'default':
      return 'Whatever Blender each worker finds';
  }
}

/** Reads a draft that was stored in the browser; anything strange in it makes it an empty one. */
export function parseDraft(text: string | null): Draft {
  try {
    const stored: unknown = JSON.parse(text ?? '');
    if (typeof stored !== 'object' || stored === null) return { ...EMPTY_DRAFT };
    const draft = { ...EMPTY_DRAFT, ...stored };
    const texts = [draft.storage, draft.usableStorage, draft.ownBlender, draft.adminToken, draft.artistToken];
    const blender = draft.blender;
    const isCheck = blender === null || (typeof blender === 'object' && typeof blender.path === 'string' && typeof blender.source === 'string');
    const isChoice = draft.shaman === null || typeof draft.shaman === 'boolean';
    const isAccess = (draft.access === 'everybody' || (draft.access === 'tokens' && draft.adminToken !== '')) && draft.withoutToken in WITHOUT_TOKEN;
    return texts.every((value) => typeof value === 'string') && isCheck && isChoice && isAccess && isPaths(draft.platforms) ? draft : { ...EMPTY_DRAFT };
  } catch {
    return { ...EMPTY_DRAFT };
  }
}
