// The end of the manager's own log, for as long as the calling scope lives.
import { shallowRef, type ShallowRef } from 'vue';
import { api, takeBody } from '@/api/client';
import type { ManagerLog } from '@/api/types';
import { ownLogLines, type OwnLogLine } from '@/lib/ownLog';
import { useRepeating } from '@/lib/repeating';
import { useReading, type Reading } from './reading';

/** As many lines as the manager keeps. */
export const MOST_LINES = 1000;
/** How often to look for new lines, in milliseconds: no event tells of them. */
const LOOK = 2000;

export interface LiveManagerLog {
  readonly lines: Readonly<ShallowRef<readonly OwnLogLine[]>>;
  /** When the log began; empty until it was read. */
  readonly began: Readonly<ShallowRef<string>>;
  /** Lines that there were and are not kept any more. */
  readonly gone: Readonly<ShallowRef<number>>;
  readonly reading: Reading;
}

export function useManagerLog(): LiveManagerLog {
  const lines = shallowRef<readonly OwnLogLine[]>([]);
  const [began, gone] = [shallowRef(''), shallowRef(0)];
  let total = 0;

  const reading = useReading(async (wanted) => {
    let log = await fetchLog(total);
    // Another process has a log of its own.
    if (wanted() && total > 0 && log.began_at !== began.value) log = await fetchLog(0);
    if (!wanted()) return;
    const first = log.total - log.lines.length;
    // What came in between is not kept any more: these lines do not follow those that are shown.
    const before = log.began_at === began.value && first <= total ? lines.value : [];
    [began.value, total] = [log.began_at, log.total];
    if (log.lines.length > 0 || before.length === 0) lines.value = [...before, ...ownLogLines(log.lines, first, before.at(-1))].slice(-MOST_LINES);
    gone.value = total - lines.value.length;
  });
  useRepeating(LOOK, () => void reading.read());
  void reading.read();
  return { lines, began, gone, reading };
}

async function fetchLog(after: number): Promise<ManagerLog> {
  return takeBody(api.GET('/api/v3/configuration/log', { params: { query: after > 0 ? { after } : {} } }));
}
