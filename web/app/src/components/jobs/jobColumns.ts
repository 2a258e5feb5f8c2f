import type { GridColumn } from '@/components/grid/columns';
import type { SortOrder } from '@/lib/grid/gridView';
import { jobProgress } from '@/lib/jobProgress';
import { compareKeys } from '@/lib/naturalSort';
import { statusRank } from '@/lib/status';
import type { TableState } from '@/lib/tableQuery';
import type { JobRow } from '@/stores/jobs';

function done(job: JobRow): number {
  const progress = jobProgress(job);
  return progress.total > 0 ? progress.done / progress.total : -1;
}

function byText(key: 'shot' | 'project' | 'submitter'): SortOrder<JobRow> {
  return { fields: [key], compare: (a, b) => compareKeys(a[key].toLowerCase(), b[key].toLowerCase()) };
}

export const JOB_COLUMNS: readonly GridColumn<JobRow>[] = [
  {
    key: 'status',
    label: 'Status',
    width: 158,
    line: 1,
    order: { fields: ['status'], compare: (a, b) => statusRank(a.status) - statusRank(b.status) },
  },
  { key: 'picture', label: 'Picture', width: 62, line: 'beside', hideBelow: 560 },
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
    order: { fields: ['stepsCompleted', 'stepsTotal', 'framesDone', 'framesTotal'], compare: (a, b) => done(a) - done(b) },
  },
  {
    key: 'end',
    label: 'Done at',
    width: 156,
    align: 'right',
    hideBelow: 800,
    order: { fields: ['estimatedEnd'], compare: (a, b) => (a.estimatedEnd || Infinity) - (b.estimatedEnd || Infinity) || 0 },
  },
  {
    key: 'mean',
    label: 'Per frame',
    width: 92,
    align: 'right',
    hideBelow: 940,
    descendingFirst: true,
    order: { fields: ['meanMs'], compare: (a, b) => a.meanMs - b.meanMs },
  },
  {
    key: 'total',
    label: 'Render time',
    width: 108,
    align: 'right',
    hideBelow: 1400,
    descendingFirst: true,
    order: { fields: ['totalMs'], compare: (a, b) => a.totalMs - b.totalMs },
  },
  {
    key: 'working',
    label: 'Working',
    width: 84,
    align: 'right',
    hideBelow: 1250,
    descendingFirst: true,
    order: { fields: ['tasks'], compare: (a, b) => (a.tasks?.active ?? 0) - (b.tasks?.active ?? 0) },
  },
  {
    key: 'type',
    label: 'Type',
    width: 170,
    hideBelow: 1080,
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
    key: 'submitter',
    label: 'By',
    width: 110,
    hideBelow: 1550,
    order: { fields: ['submitter'], compare: (a, b) => compareKeys(a.submitter, b.submitter) },
  },
  {
    key: 'frames',
    label: 'Frames',
    width: 92,
    align: 'right',
    optional: true,
    order: { fields: ['framesDone'], compare: (a, b) => a.framesDone - b.framesDone },
  },
  { key: 'shot', label: 'Shot', width: 130, optional: true, order: byText('shot') },
  { key: 'project', label: 'Project', width: 110, optional: true, order: byText('project') },
  { key: 'tag', label: 'Tag', name: 'Worker tag', width: 110, optional: true },
  {
    key: 'created',
    label: 'Created',
    width: 104,
    align: 'right',
    optional: true,
    descendingFirst: true,
    order: { fields: ['created'], compare: (a, b) => a.created - b.created },
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
