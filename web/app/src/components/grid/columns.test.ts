import { describe, expect, it } from 'vitest';
import { chosenColumns, columnTemplate, parseWidths, shownColumns, withColumn, type GridColumn } from './columns';

const columns: GridColumn<never>[] = [
  { key: 'status', label: 'Status', width: 130 },
  { key: 'name', label: 'Name', width: 'fill' },
  { key: 'type', label: 'Type', width: 150, hideBelow: 700 },
];

describe('columns', () => {
  it.each([
    [1000, 'status name type'],
    [700, 'status name type'],
    [699, 'status name'],
  ])('at %i px: %s', (width, expected) => {
    expect(shownColumns(columns, width, new Map()).map((column) => column.key).join(' ')).toBe(expected);
  });

  it.each([
    // 130 + 120 + 150 + 90 + 60 pixels at least.
    [550, {}, 'status name type rank load'],
    [549, {}, 'status name rank load'],
    [399, {}, 'status name load'],
    // What has no limit stays, and a width that a person chose counts.
    [310, {}, 'status name load'],
    [200, {}, 'status name load'],
    [550, { status: 200 }, 'status name rank load'],
  ])('what does not fit into %i px gives way, %j: %s', (width, widths, expected) => {
    const many: GridColumn<never>[] = [
      ...columns.map((column) => (column.key === 'type' ? { ...column, hideBelow: 300 } : column)),
      { key: 'rank', label: 'Rank', width: 90, hideBelow: 200 },
      { key: 'load', label: 'Load', width: 60 },
    ];
    expect(shownColumns(many, width, new Map(Object.entries(widths))).map((column) => column.key).join(' ')).toBe(expected);
  });

  it('takes the width that a person chose, within reason', () => {
    expect(columnTemplate(columns, new Map([['type', 200]]))).toBe('130px minmax(120px, 1fr) 200px');
    expect(columnTemplate(columns, new Map([['status', 3]]))).toBe('48px minmax(120px, 1fr) 150px');
  });

  it('lets a column grow with the screen until a person has chosen its width', () => {
    const growing: GridColumn<never>[] = [{ key: 'name', label: 'Name', width: 'fill' }, { key: 'task', label: 'Task', width: 200, grows: true }];
    expect(columnTemplate(growing, new Map())).toBe('minmax(120px, 1fr) minmax(200px, 0.4fr)');
    expect(columnTemplate(growing, new Map([['task', 300]]))).toBe('minmax(120px, 1fr) 300px');
  });

  it.each([
    ['{"a":120,"b":"x"}', [['a', 120]]],
    ['', []],
    ['null', []],
    ['[1,2', []],
  ])('reads %s', (text, expected) => {
    expect([...parseWidths(text)]).toEqual(expected);
  });
});

describe('chosen columns', () => {
  const all: GridColumn<never>[] = [
    ...columns,
    { key: 'load', label: 'Load', width: 60, optional: true },
    { key: 'gpu', label: 'GPU', width: 60, optional: true, saysSomething: () => true },
  ];
  const keys = (stored: string, speaking = '') => chosenColumns(all, stored, new Set(speaking.split(' '))).map((column) => column.key).join(' ');

  it.each([
    ['', 'status name type'],
    ['-type load', 'status name load'],
    // The column that takes the rest of the width is what the row is about.
    ['-name -status', 'name type'],
    ['nonsense', 'status name type'],
  ])('%j shows %s', (stored, expected) => expect(keys(stored)).toBe(expected));

  it('shows what has something to say, unless it was hidden', () => {
    expect(keys('', 'gpu')).toBe('status name type gpu');
    expect(keys('-gpu', 'gpu')).toBe('status name type');
    expect(keys('gpu')).toBe('status name type gpu');
    expect(withColumn(all, '-type', 'gpu', false)).toBe('-type -gpu');
    expect(withColumn(all, '-gpu load', 'gpu', true)).toBe('load gpu');
  });

  it('stores only what differs from the usual', () => {
    const hidden = withColumn(all, '', 'type', false);
    expect(hidden).toBe('-type');
    expect(withColumn(all, hidden, 'load', true)).toBe('-type load');
    expect(withColumn(all, '-type load', 'type', true)).toBe('load');
    expect(withColumn(all, 'load', 'load', false)).toBe('');
  });
});
