// What a variable of the configuration becomes for whom. As the manager decides it: what is for all platforms, overlaid with
// what is for this one, and a later value before an earlier one. Pure.
import { isTree, type Tree } from './settings';

const PLATFORMS = ['linux', 'windows', 'darwin'] as const;
const NAMES: Record<string, string> = { linux: 'Linux', windows: 'Windows', darwin: 'macOS' };
type Audience = 'users' | 'workers';

export interface Reach {
  /** For example "Workers on Linux and macOS". */
  readonly who: string;
  /** What they get; `undefined` when the variable has no value for them, so that its name stays as it is. */
  readonly value: string | undefined;
}

function platformsOf(value: Tree): string[] {
  if (Array.isArray(value.platforms)) return value.platforms.map(String);
  return typeof value.platform === 'string' ? [value.platform] : [];
}

function valueFor(values: readonly Tree[], audience: Audience, platform: string): string | undefined {
  const meant = values.filter((value) => value.audience === undefined || value.audience === '' || value.audience === 'all' || value.audience === audience);
  const of = (name: string): Tree | undefined => meant.findLast((value) => platformsOf(value).includes(name));
  const found = of(platform) ?? of('all');
  return found && String(found.value ?? '');
}

function groups(values: readonly Tree[], audience: Audience): { platforms: string[]; value: string | undefined }[] {
  const result: { platforms: string[]; value: string | undefined }[] = [];
  for (const platform of PLATFORMS) {
    const value = valueFor(values, audience, platform);
    const same = result.find((group) => group.value === value);
    if (same) same.platforms.push(platform);
    else result.push({ platforms: [platform], value });
  }
  return result;
}

/** What each platform gets of a definition; users and workers apart only where they differ. */
export function variableReach(definition: unknown): Reach[] {
  const values = isTree(definition) && Array.isArray(definition.values) ? definition.values.filter(isTree) : [];
  const [users, workers] = [groups(values, 'users'), groups(values, 'workers')];
  const same = JSON.stringify(users) === JSON.stringify(workers);
  const lines = (who: string, list: typeof users): Reach[] =>
    list.map(({ platforms, value }) => ({ who: platforms.length === PLATFORMS.length ? `${who} everywhere` : `${who} on ${platforms.map((name) => NAMES[name]).join(' and ')}`, value }));
  return same ? lines('Everybody', users) : [...lines('Users', users), ...lines('Workers', workers)];
}
