import type { GridColumn } from '@/components/grid/columns';
import { compareKeys } from '@/lib/naturalSort';
import { statusRank } from '@/lib/status';
import type { TableState } from '@/lib/tableQuery';
import type { TaskRow } from '@/stores/tasks';

export const TASK_COLUMNS: readonly GridColumn<TaskRow>[] = [
  {
    key: 'index',
    label: '#',
    name: 'Number',
    width: 56,
    align: 'right',
    order: { fields: ['index'], compare: (a, b) => a.index - b.index },
  },
  {
    key: 'status',
    label: 'Status',
    width: 122,
    line: 1,
    order: { fields: ['status'], compare: (a, b) => statusRank(a.status) - statusRank(b.status) },
  },
  {
    key: 'name',
    label: 'Name',
    width: 'fill',
    line: 1,
    order: { fields: ['nameKey'], compare: (a, b) => compareKeys(a.nameKey, b.nameKey) },
  },
  {
    key: 'progress',
    label: 'Progress',
    width: 120,
    hideBelow: 620,
    order: { fields: ['stepsCompleted'], compare: (a, b) => a.stepsCompleted - b.stepsCompleted },
  },
  {
    key: 'worker',
    label: 'Worker',
    width: 130,
    line: 2,
    hideBelow: 500,
    order: { fields: ['workerName'], compare: (a, b) => compareKeys(a.workerName, b.workerName) },
  },
  {
    key: 'updated',
    label: 'Updated',
    width: 100,
    align: 'right',
    line: 2,
    descendingFirst: true,
    order: { fields: ['updated'], compare: (a, b) => a.updated - b.updated },
  },
];

/** Tasks stay in the order of the job, so that a row does not jump while it is watched. */
export const TASK_DEFAULTS: TableState = { sort: 'index', descending: false, statuses: [], text: '' };
