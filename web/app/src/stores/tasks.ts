// The tasks of the one job that is being looked at, live.
import { defineStore } from 'pinia';
import { markRaw, shallowRef } from 'vue';
import { api, take, takeBody, toRequestError } from '@/api/client';
import type { JobStatus, TaskStatus, TaskSummary, TaskUpdate } from '@/api/types';
import { TASK_ACTIONS, mayTask, type TaskAction } from '@/lib/actions';
import { describeOutcome, runBulk } from '@/lib/bulk';
import { RowTable, type GridRow } from '@/lib/grid/rowTable';
import { isolated, quoted } from '@/lib/names';
import { naturalKey } from '@/lib/naturalSort';
import { parseTime } from '@/lib/times';
import { useNotifications } from './notifications';
import { useReading } from './reading';
import { Interim, reconcile } from './reconcile';

export interface TaskRow extends GridRow {
  readonly id: string;
  /** Position in the job, from 1. */
  index: number;
  name: string;
  nameKey: string;
  search: string;
  status: TaskStatus;
  taskType: string;
  updated: number;
  /** The last worker that had the task; both empty when there was none. */
  workerId: string;
  workerName: string;
  stepsCompleted: number;
  stepsTotal: number;
}

const REASON = 'requested from web interface';

function searchText(name: string, taskType: string, workerName: string): string {
  return `${name} ${taskType} ${workerName}`.toLowerCase();
}

function rowOf(task: TaskSummary): TaskRow {
  // A task without worker comes as a worker with an empty id.
  const workerName = task.worker?.name ?? '';
  return {
    id: task.id,
    index: task.index_in_job,
    name: task.name,
    nameKey: naturalKey(task.name),
    search: searchText(task.name, task.task_type, workerName),
    status: task.status,
    taskType: task.task_type,
    updated: parseTime(task.updated),
    workerId: task.worker?.id ?? '',
    workerName,
    stepsCompleted: task.steps_completed,
    stepsTotal: task.steps_total,
    rev: 0,
  };
}

export const useTasks = defineStore('tasks', () => {
  const notifications = useNotifications();
  const table = markRaw(new RowTable<TaskRow>((row) => row.status));
  const jobId = shallowRef('');
  let interim = new Interim();

  const reading = useReading(async (wanted) => {
    interim = new Interim();
    const params = { path: { job_id: jobId.value } };
    const { tasks } = await takeBody(api.GET('/api/v3/jobs/{job_id}/tasks', { params }));
    if (!wanted()) return;
    reconcile(table, tasks.map(rowOf), interim);
    table.flush();
  });

  /** Turns to another job, or reads the tasks of the present one again. */
  function open(id: string): Promise<void> {
    if (id !== jobId.value) {
      reading.reset();
      table.clear();
      jobId.value = id;
    }
    return id === '' ? Promise.resolve() : reading.read();
  }

  function applyUpdate(update: TaskUpdate): void {
    if (update.job_id !== jobId.value) return;
    const known = table.get(update.id);
    if (!known) {
      void fetchUnknown(update.id);
      return;
    }
    const updated = parseTime(update.updated);
    if (updated < known.updated) return;
    const workerId = update.worker?.uuid ?? known.workerId;
    const workerName = update.worker?.name ?? known.workerName;
    table.patch(update.id, {
      name: update.name,
      nameKey: naturalKey(update.name),
      search: searchText(update.name, known.taskType, workerName),
      status: update.status,
      updated,
      workerId,
      workerName,
      stepsCompleted: update.steps_completed,
      stepsTotal: update.steps_total,
    });
    announce(update, workerName);
  }

  /** Of the job that is looked at, what went wrong is worth knowing. */
  function announce({ id, name, status, previous_status: before, job_id: jobID }: TaskUpdate, workerName: string): void {
    if (before === status || (status !== 'failed' && status !== 'soft-failed')) return;
    const where = workerName === '' ? '' : ` on ${isolated(workerName)}`;
    const text = `Task ${quoted(name)} failed${where}${status === 'failed' ? '.' : '; another worker tries.'}`;
    notifications.note({ level: 'warning', text, to: { name: 'job', params: { jobID, taskID: id } } });
  }

  async function fetchUnknown(id: string): Promise<void> {
    const job = jobId.value;
    interim.born.add(id);
    try {
      const task = await takeBody(api.GET('/api/v3/tasks/{task_id}', { params: { path: { task_id: id } } }));
      if (job === jobId.value) table.put(rowOf(task));
    } catch (cause) {
      notifications.note({ level: 'warning', text: `A new task could not be read: ${toRequestError(cause).message}` });
    }
  }

  /** Asks for an action on those of the tasks that allow it, and reports what came of it. */
  async function act(
    action: TaskAction,
    rows: readonly Pick<TaskRow, 'id' | 'name' | 'status'>[],
    jobStatus: JobStatus | undefined,
  ): Promise<void> {
    const asked = rows.filter((row) => mayTask(action, row.status, jobStatus)).map(({ id, name }) => ({ id, name }));
    const body = { status: TASK_ACTIONS[action].asks, reason: REASON };
    const outcome = await runBulk(asked, (task) =>
      take(api.POST('/api/v3/tasks/{task_id}/setstatus', { params: { path: { task_id: task.id } }, body })),
    );
    const done = action === 'cancel' ? 'Canceled' : 'Requeued';
    notifications.show(describeOutcome(outcome, 'task', (subject) => `${done} ${subject}`));
  }

  return { table, jobId, reading, open, applyUpdate, act };
});
