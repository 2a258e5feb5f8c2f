import type { GridColumn } from '@/components/grid/columns';
import { compareKeys } from '@/lib/naturalSort';
import { statusRank } from '@/lib/status';
import type { TableState } from '@/lib/tableQuery';
import type { WorkerRow } from '@/stores/workers';

export const WORKER_COLUMNS: readonly GridColumn<WorkerRow>[] = [
  {
    key: 'status',
    label: 'Status',
    width: 210,
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
    key: 'version',
    label: 'Version',
    width: 150,
    line: 2,
    hideBelow: 560,
    order: { fields: ['version'], compare: (a, b) => compareKeys(a.version, b.version) },
  },
  {
    key: 'lastSeen',
    label: 'Last seen',
    width: 110,
    align: 'right',
    line: 2,
    descendingFirst: true,
    order: { fields: ['lastSeen'], compare: (a, b) => a.lastSeen - b.lastSeen },
  },
];

export const WORKER_DEFAULTS: TableState = { sort: 'name', descending: false, statuses: [], text: '' };
