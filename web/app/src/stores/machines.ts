// How the machines of the workers are doing, live, for as long as a page shows it.
import { defineStore } from 'pinia';
import { api, take, takeBody } from '@/api/client';
import type { WorkerMachine, WorkerMachines } from '@/api/types';
import { runBulk } from '@/lib/bulk';
import { readMachine, withPast } from '@/lib/machines';
import { parseTime } from '@/lib/times';
import { useReading } from './reading';
import { useWorkers } from './workers';

/** Of so many workers the past is read; those that are added later begin with an empty line. */
const PASTS = 30;

export const useMachines = defineStore('machines', () => {
  const workers = useWorkers();
  /** Reports of workers that are not in the table yet. */
  const early = new Map<string, WorkerMachine>();
  const pastRead = new Set<string>();

  const reading = useReading(async (wanted) => {
    const call = await api.GET('/api/v3/worker-mgt/machines');
    const answer = await take(Promise.resolve(call));
    if (!wanted() || !answer) return;
    // The age of a report is told by the manager's clock alone; this browser's may be wrong.
    const managerNow = parseTime(call.response.headers.get('date')) || Date.now();
    const now = Date.now();
    for (const report of answer.workers) note(report, now - Math.max(0, managerNow - parseTime(report.received_at)));
    void readPast();
  });

  function note(report: WorkerMachine, heardAt: number): void {
    const row = workers.table.get(report.worker);
    if (!row) {
      early.set(report.worker, report);
      return;
    }
    early.delete(report.worker);
    if (row.machine && row.machine.heardAt >= heardAt) return;
    workers.gather(report.worker, { machine: readMachine(report, heardAt, row.machine) });
  }

  /** Reads what the first machines of the list did before this page was there, once. */
  async function readPast(): Promise<void> {
    const rows = [...workers.table.values()].filter((row) => row.machine && !pastRead.has(row.id));
    const asked = rows.slice(0, Math.max(0, PASTS - pastRead.size)).map(({ id }) => id);
    for (const id of asked) pastRead.add(id);
    // A line without its first minutes is no loss, so one that cannot be read is not worth a message.
    await runBulk(asked, async (id) => {
      const params = { path: { worker_id: id }, query: { span: 'recent' as const } };
      const { samples } = await takeBody(api.GET('/api/v3/worker-mgt/workers/{worker_id}/machine', { params }));
      const machine = workers.table.get(id)?.machine;
      if (machine) workers.gather(id, { machine: withPast(machine, samples) });
    });
  }

  function applyUpdate(update: WorkerMachines): void {
    const now = Date.now();
    for (const report of update.workers) note(report, now);
  }

  /** Looks again at the reports of workers that were not known when they came. */
  function retryEarly(): void {
    for (const report of [...early.values()]) if (workers.table.get(report.worker)) note(report, Date.now());
    void readPast();
  }

  return { reading, readPast, applyUpdate, retryEarly };
});
