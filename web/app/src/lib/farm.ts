// Why the farm is in the status it is in, in a sentence with numbers.
import type { FarmStatus } from '@/api/types';
import { counted } from './bulk';

type Counts = ReadonlyMap<string, number>;

/** `busy`: how many workers have a task. `told`: why nothing can be done, as the manager says. */
export function farmReason(status: FarmStatus, jobs: Counts, workers: Counts, busy = 0, told = ''): string {
  const of = (counts: Counts, ...keys: string[]): number => keys.reduce((sum, key) => sum + (counts.get(key) ?? 0), 0);
  const all = [...workers.values()].reduce((sum, count) => sum + count, 0);
  const awake = of(workers, 'awake');
  const [active, queued] = [of(jobs, 'active'), of(jobs, 'queued')];
  const staff = `${awake} of ${counted(all, 'worker')} awake`;
  switch (status) {
    case 'active':
      return queued > 0
        ? `Rendering ${counted(active, 'job')}, ${queued} more in the queue; ${busy} of ${counted(all, 'worker')} busy, ${awake} awake.`
        : `Rendering ${counted(active, 'job')}; ${busy} of ${counted(all, 'worker')} busy, ${awake} awake.`;
    case 'idle':
      return `Nothing to do; ${staff}.`;
    case 'waiting': {
      const waiting = counted(active + queued, 'job');
      if (awake === 0) return `${waiting} to do, but no worker is awake (${idleWorkers(workers)}).`;
      return `${waiting} to do, but no worker has taken a task yet; ${staff}.`;
    }
    case 'asleep':
      return `Nothing to do, and no worker is awake (${idleWorkers(workers)}).`;
    case 'inoperative':
      if (told !== '' && all > 0) return `${told.charAt(0).toUpperCase()}${told.slice(1)}.`;
      return all === 0 ? 'No worker has registered yet.' : `No worker can be reached (${idleWorkers(workers)}).`;
    case 'starting':
      return 'The manager is starting.';
    default:
      return 'The manager has not told its status yet.';
  }
}

function idleWorkers(workers: Counts): string {
  const parts = [...workers].filter(([status, count]) => status !== 'awake' && count > 0);
  return parts.map(([status, count]) => `${count} ${status}`).join(', ') || 'none registered';
}
