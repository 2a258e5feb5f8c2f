// The same places by the names of other platforms. Pure. The manager has the last word.
import type { PlatformPaths } from '@/api/types';

export type PlatformName = PlatformPaths['platform'];

export interface PlatformChoice {
  readonly name: PlatformName;
  readonly title: string;
  /** What its paths look like. */
  readonly storage: string;
  readonly blender: string;
}

export const PLATFORMS: readonly PlatformChoice[] = [
  { name: 'linux', title: 'Linux', storage: '/mnt/farm', blender: '/opt/blender/blender' },
  { name: 'windows', title: 'Windows', storage: 'F:\\farm', blender: 'C:\\Program Files\\Blender Foundation\\Blender 4.5\\blender.exe' },
  { name: 'darwin', title: 'macOS', storage: '/Volumes/farm', blender: '/Applications/Blender.app/Contents/MacOS/Blender' },
];

/** What was typed for each platform; blank is nothing. */
export type Paths = Readonly<Partial<Record<PlatformName, { readonly storage: string; readonly blender: string }>>>;

/** What is wrong with the path of the storage on a platform, in words; empty if nothing is. */
export function storageError(platform: PlatformName, path: string): string {
  const text = path.trim();
  if (text === '') return '';
  if (text.startsWith('\\\\')) return 'Give the share a drive letter: not all programs support paths that start with \\\\.';
  if (platform === 'windows') return /^[a-z]:(?:[\\/]|$)/i.test(text) ? '' : 'Write a path with a drive letter, such as F:\\farm.';
  return text.startsWith('/') ? '' : 'Write the whole path, starting with /.';
}

/** The platforms of which something was typed, but that of the manager. */
export function otherPlatforms(paths: Paths, manager: string): PlatformPaths[] {
  return PLATFORMS.filter(({ name }) => name !== manager).flatMap(({ name }) => {
    const [storage, blender] = [paths[name]?.storage.trim() ?? '', paths[name]?.blender.trim() ?? ''];
    if (storage === '' && blender === '') return [];
    return [{ platform: name, ...(storage && { storage }), ...(blender && { blender }) }];
  });
}

export function platformTitle(name: string): string {
  return PLATFORMS.find((one) => one.name === name)?.title ?? name;
}

/** Whether this is what was typed on an earlier visit. */
export function isPaths(value: unknown): value is Paths {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((one: unknown) => {
    if (typeof one !== 'object' || one === null) return false;
    const { storage, blender } = one as Record<string, unknown>;
    return typeof storage === 'string' && typeof blender === 'string';
  });
}
