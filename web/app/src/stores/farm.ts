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
  /** Why nothing can be done, as the manager says; empty otherwise. */
  const told = shallowRef('');
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
    applyStatus(report);
  });

  const name = computed(() => version.value?.name || 'Flamenco');

  const reason = computed(() => {
    // The counters of a table are not reactive by themselves.
    void jobs.table.pulse.value;
    void workers.table.pulse.value;
    // A worker has at most one task at a time.
    let busy = 0;
    for (const job of jobs.table.values()) busy += job.tasks?.active ?? 0;
    return farmReason(status.value, jobs.table.counts, workers.table.counts, busy, told.value);
  });

  function applyStatus(report: { status: FarmStatus; reason?: string }): void {
    status.value = report.status;
    told.value = report.reason ?? '';
  }

  return { version, status, managerChanged, reading, name, reason, applyStatus };
});
