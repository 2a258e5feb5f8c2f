// The manager itself: its name and version, and the status of the whole farm.
import { defineStore } from 'pinia';
import { computed, shallowRef } from 'vue';
import { api, takeBody } from '@/api/client';
import type { FarmStatus, Version } from '@/api/types';
import { farmReason } from '@/lib/farm';
import { sameManager } from '@/live/feed';
import { useJobs } from './jobs';
import { useReading } from './reading';
import { useWorkers } from './workers';

export const useFarm = defineStore('farm', () => {
  const jobs = useJobs();
  const workers = useWorkers();
  const version = shallowRef<Version | null>(null);
  const status = shallowRef<FarmStatus>('unknown');
  /** The manager that answers now is another one than this page was loaded from. */
  const managerChanged = shallowRef(false);

  const reading = useReading(async (wanted) => {
    const [now, report] = await Promise.all([
      takeBody(api.GET('/api/v3/version')),
      takeBody(api.GET('/api/v3/status')),
    ]);
    if (!wanted()) return;
    if (version.value && !sameManager(version.value, now)) managerChanged.value = true;
    version.value ??= now;
    status.value = report.status;
  });

  const name = computed(() => version.value?.name || 'Flamenco');

  const reason = computed(() => {
    // The counters of a table are not reactive by themselves.
    void jobs.table.pulse.value;
    void workers.table.pulse.value;
    return farmReason(status.value, jobs.table.counts, workers.table.counts);
  });

  function applyStatus(report: { status: FarmStatus }): void {
    status.value = report.status;
  }

  return { version, status, managerChanged, reading, name, reason, applyStatus };
});
