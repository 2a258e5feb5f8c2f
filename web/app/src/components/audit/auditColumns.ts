import type { GridColumn } from '@/components/grid/columns';
import type { AuditRow } from '@/lib/audit';

/** The manager has one order, the newest first, of which the rows here are the beginning: there is no other to sort by. */
export const AUDIT_COLUMNS: readonly GridColumn<AuditRow>[] = [
  { key: 'at', label: 'When', width: 176, line: 2 },
  { key: 'name', label: 'Who', width: 150, line: 2 },
  { key: 'role', label: 'Role', width: 74, hideBelow: 560 },
  { key: 'what', label: 'What', width: 230, line: 1 },
  { key: 'object', label: 'Object', width: 'fill', line: 1 },
  { key: 'summary', label: 'Details', width: 260, hideBelow: 900 },
  { key: 'address', label: 'Address', width: 130, hideBelow: 1060 },
];

export const NEWEST_FIRST = { fields: ['number'] as const, compare: (a: AuditRow, b: AuditRow) => b.number - a.number };
