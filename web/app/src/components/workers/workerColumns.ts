import type { GridColumn } from '@/components/grid/columns';
import { compareKeys } from '@/lib/naturalSort';
import { statusRank } from '@/lib/status';
import type { TableState } from '@/lib/tableQuery';
import type { Reading } from '@/lib/machines';
import type { WorkerRow } from '@/stores/workers';

type Part = 'cpu' | 'memory' | 'disk' | 'gpu' | 'load';

/** A column of a machine's figure; whoever does not tell it comes last. */
function figure(key: Part, label: string, name: string, rest: Partial<GridColumn<WorkerRow>>): GridColumn<WorkerRow> {
  const of = (machine: Reading | null): number => machine?.[key] ?? -1;
  return {
    key,
    label,
    name,
    width: 118,
    descendingFirst: true,
    order: { fields: ['machine'], compare: (a, b) => of(a.machine) - of(b.machine) },
    ...rest,
  };
}

export const WORKER_COLUMNS: readonly GridColumn<WorkerRow>[] = [
  {
    key: 'enabled',
    label: 'Enabled',
    width: 78,
    hideBelow: 640,
    order: { fields: ['enabled'], compare: (a, b) => Number(b.enabled) - Number(a.enabled) },
  },
  {
    key: 'status',
    label: 'Status',
    width: 170,
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
    key: 'task',
    label: 'Working on',
    width: 200,
    grows: true,
    line: 2,
    hideBelow: 900,
    order: { fields: ['task'], compare: (a, b) => compareKeys(a.task?.jobName ?? '~', b.task?.jobName ?? '~') },
  },
  figure('cpu', 'CPU', 'CPU', { hideBelow: 480, line: 2 }),
  figure('memory', 'Memory', 'Memory', { hideBelow: 540 }),
  figure('disk', 'Disk', 'Disk', { hideBelow: 840 }),
  figure('gpu', 'GPU', 'GPU', { optional: true, saysSomething: ({ machine }) => machine?.gpu !== undefined }),
  figure('load', 'Load', 'Load average', { width: 64, align: 'right', hideBelow: 1194 }),
  {
    key: 'tags',
    label: 'Tags',
    width: 104,
    hideBelow: 1200,
    order: { fields: ['tags'], compare: (a, b) => compareKeys(a.tags || '~', b.tags || '~') },
  },
  {
    key: 'version',
    label: 'Version',
    width: 130,
    hideBelow: 1380,
    order: { fields: ['version'], compare: (a, b) => compareKeys(a.version, b.version) },
  },
  {
    key: 'address',
    label: 'Address',
    width: 130,
    optional: true,
    order: { fields: ['address'], compare: (a, b) => compareKeys(a.address, b.address) },
  },
  {
    key: 'platform',
    label: 'Platform',
    width: 96,
    optional: true,
    order: { fields: ['platform'], compare: (a, b) => compareKeys(a.platform, b.platform) },
  },
  {
    key: 'lastSeen',
    label: 'Last seen',
    width: 104,
    align: 'right',
    hideBelow: 720,
    descendingFirst: true,
    order: { fields: ['lastSeen'], compare: (a, b) => a.lastSeen - b.lastSeen },
  },
];

export const WORKER_DEFAULTS: TableState = { sort: 'name', descending: false, statuses: [], text: '' };
