import type { GridColumn } from '@/components/grid/columns';
import { compareKeys } from '@/lib/naturalSort';
import { statusRank } from '@/lib/status';
import type { TableState } from '@/lib/tableQuery';
import type { JobRow } from '@/stores/jobs';

function done(job: JobRow): number {
  return job.stepsTotal > 0 ? job.stepsCompleted / job.stepsTotal : -1;
}

export const JOB_COLUMNS: readonly GridColumn<JobRow>[] = [
  {
    key: 'status',
    label: 'Status',
    width: 158,
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
    width: 130,
    line: 2,
    hideBelow: 430,
    order: { fields: ['stepsCompleted', 'stepsTotal'], compare: (a, b) => done(a) - done(b) },
  },
  {
    key: 'type',
    label: 'Type',
    width: 170,
    hideBelow: 860,
    order: { fields: ['type'], compare: (a, b) => compareKeys(a.type, b.type) },
  },
  {
    key: 'priority',
    label: 'Prio',
    width: 64,
    align: 'right',
    hideBelow: 740,
    descendingFirst: true,
    order: { fields: ['priority'], compare: (a, b) => a.priority - b.priority },
  },
  {
    key: 'updated',
    label: 'Updated',
    width: 104,
    align: 'right',
    line: 2,
    descendingFirst: true,
    order: { fields: ['updated'], compare: (a, b) => a.updated - b.updated },
  },
];

export const JOB_DEFAULTS: TableState = { sort: 'updated', descending: true, statuses: [], text: '' };
