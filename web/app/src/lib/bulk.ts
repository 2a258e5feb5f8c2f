// One request per object, and a truthful account of what came of it.
import { toRequestError } from '@/api/client';
import { quoted } from './names';

export interface Outcome<T> {
  readonly done: T[];
  readonly failed: { readonly item: T; readonly reason: string }[];
}

/** So many requests run at the same time: enough to be quick, few enough not to crowd out the page's own. */
const AT_ONCE = 6;

/** Makes a call for each item. Never throws: a call that fails is part of the outcome. */
export async function runBulk<T>(items: readonly T[], call: (item: T) => Promise<unknown>): Promise<Outcome<T>> {
  const outcome: Outcome<T> = { done: [], failed: [] };
  const queue = items.values();
  const lane = async (): Promise<void> => {
    for (const item of queue) {
      try {
        await call(item);
        outcome.done.push(item);
      } catch (cause) {
        outcome.failed.push({ item, reason: toRequestError(cause).message });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, lane));
  return outcome;
}

/** "1 job", "3 jobs". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

const NAMES_SHOWN = 3;

/** What happened, in one or two sentences. `sentence` gets the subject: `job "shot 7"` or `3 jobs`. */
export function describeOutcome<T extends { readonly name: string }>(
  outcome: Outcome<T>,
  noun: string,
  sentence: (subject: string) => string,
): { level: 'success' | 'error'; text: string } {
  const { done, failed } = outcome;
  const success = sentence(done.length === 1 ? `${noun} ${quoted(done[0]?.name ?? '')}` : counted(done.length, noun));
  if (failed.length === 0) return { level: 'success', text: `${success}.` };
  const named = failed.slice(0, NAMES_SHOWN).map(({ item, reason }) => `${quoted(item.name)}: ${withStop(reason)}`);
  if (failed.length > NAMES_SHOWN) named.push(`And ${failed.length - NAMES_SHOWN} more.`);
  const failure = `Refused for ${counted(failed.length, noun)}. ${named.join(' ')}`;
  return { level: 'error', text: done.length === 0 ? failure : `${success}. ${failure}` };
}

function withStop(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
