// Keeps what a page shows of workers live: machines, tags, and what they work on.
import { onScopeDispose, watch } from 'vue';
import { useRepeating } from '@/lib/repeating';
import { liveFeed, useEvent } from '@/live/socket';
import { useAssignments } from './assignments';
import { useMachines } from './machines';
import { useTags } from './tags';
import { useWorkers } from './workers';

export function useLiveWorkers(): void {
  const [workers, machines, tags, assignments] = [useWorkers(), useMachines(), useTags(), useAssignments()];
  useEvent('/workerstats', machines.applyUpdate);
  useEvent('/workertags', tags.applyTag);
  useEvent('/workers', tags.applyWorker);
  onScopeDispose(liveFeed().subscribe('allWorkerStats', undefined, () => void machines.reading.read()));
  onScopeDispose(liveFeed().subscribe('allWorkerTags', undefined, () => void tags.reading.read()));
  // When a worker was last seen, and what it works on, is told by no event of the worker's.
  useRepeating(10_000, () => void workers.reading.read());
  useRepeating(4000, () => void assignments.reading.read());
  watch(
    () => workers.reading.ready,
    (ready) => {
      if (!ready) return;
      machines.retryEarly();
      tags.tellWorkers();
      void assignments.reading.read();
    },
    { immediate: true },
  );
}
