// The processors of a machine, one by one. Pure.
import { counted } from './bulk';
import { TRAIL } from './machines';

/** From here on there is no room for a line and a number each. */
const MANY = 32;
const BUSY = 90;
const IDLE = 10;

/** `lines`: a small chart with a number for each; `bars`: only a bar for each. */
export type CoreLayout = 'lines' | 'bars';

export function coreLayout(count: number): CoreLayout {
  return count > MANY ? 'bars' : 'lines';
}

/** The trails with one more report; they begin anew when the number of processors is another one. */
export function longerTrails(trails: readonly (readonly number[])[], cores: readonly number[]): readonly (readonly number[])[] {
  const same = trails.length === cores.length;
  return cores.map((use, core) => [...(same ? (trails[core] ?? []) : []).slice(1 - TRAIL), use]);
}

/** All of them in a sentence. */
export function coresText(cores: readonly number[]): string {
  const busy = cores.filter((use) => use >= BUSY).length;
  const idle = cores.filter((use) => use < IDLE).length;
  const middle = cores.length - busy - idle;
  const parts = [
    busy > 0 ? `${busy} busy` : '',
    middle > 0 ? `${middle} in between` : '',
    idle > 0 ? `${idle} idle` : '',
  ];
  return `${counted(cores.length, 'core')}: ${parts.filter(Boolean).join(', ')}`;
}

/** How dark a bar is: one of five steps, so that neighbours can be told apart. */
export function heatStep(use: number): number {
  return Math.min(4, Math.max(0, Math.floor(use / 20)));
}
