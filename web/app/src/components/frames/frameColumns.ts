import type { GridColumn } from '@/components/grid/columns';
import { engineName, type FrameRow } from '@/lib/frames';
import { compareKeys } from '@/lib/naturalSort';
import { statusRank } from '@/lib/status';
import type { TableState } from '@/lib/tableQuery';

type Numeric = 'samples' | 'renderMs' | 'peakMemory' | 'fileSize' | 'width' | 'updated' | 'attempt';

function byNumber(key: Numeric, label: string, width: number, more: Partial<GridColumn<FrameRow>> = {}): GridColumn<FrameRow> {
  const order = { fields: [key], compare: (a: FrameRow, b: FrameRow) => a[key] - b[key] };
  return { key, label, width, align: 'right', descendingFirst: true, order, ...more };
}

export const FRAME_COLUMNS: readonly GridColumn<FrameRow>[] = [
  { key: 'frame', label: 'Frame', width: 74, align: 'right', line: 1, order: { fields: ['frame'], compare: (a, b) => a.frame - b.frame } },
  {
    key: 'status',
    label: 'State',
    width: 112,
    line: 1,
    order: { fields: ['status'], compare: (a, b) => statusRank(a.status) - statusRank(b.status) },
  },
  {
    key: 'name',
    label: 'File',
    width: 'fill',
    order: { fields: ['nameKey'], compare: (a, b) => compareKeys(a.nameKey, b.nameKey) },
  },
  { key: 'path', label: 'Path', width: 206, grows: true, hideBelow: 1100, order: { fields: ['path'], compare: (a, b) => compareKeys(a.path, b.path) } },
  {
    key: 'worker',
    label: 'Worker',
    width: 130,
    line: 2,
    hideBelow: 620,
    order: { fields: ['workerName'], compare: (a, b) => compareKeys(a.workerName, b.workerName) },
  },
  byNumber('renderMs', 'Render time', 110, { line: 2 }),
  byNumber('peakMemory', 'Memory', 90, { hideBelow: 900 }),
  byNumber('fileSize', 'Size', 80, { hideBelow: 760 }),
  byNumber('width', 'Pixels', 100, { hideBelow: 980 }),
  { key: 'engine', label: 'Renderer', width: 92, hideBelow: 1160, order: { fields: ['engine'], compare: (a, b) => compareKeys(engineName(a.engine), engineName(b.engine)) } },
  byNumber('samples', 'Samples', 84, { hideBelow: 1320 }),
  byNumber('attempt', 'Attempt', 80, { hideBelow: 1240 }),
  byNumber('updated', 'Rendered', 104, { line: 2, hideBelow: 560 }),
];

export const FRAME_DEFAULTS: TableState = { sort: 'frame', descending: false, statuses: [], text: '' };
