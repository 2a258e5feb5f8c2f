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
    expect(shownColumns(columns, width).map((column) => column.key).join(' ')).toBe(expected);
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
  const all: GridColumn<never>[] = [...columns, { key: 'load', label: 'Load', width: 60, optional: true }];
  const keys = (stored: string) => chosenColumns(all, stored).map((column) => column.key).join(' ');

  it.each([
    ['', 'status name type'],
    ['-type load', 'status name load'],
    // The column that takes the rest of the width is what the row is about.
    ['-name -status', 'name type'],
    ['nonsense', 'status name type'],
  ])('%j shows %s', (stored, expected) => expect(keys(stored)).toBe(expected));

  it('stores only what differs from the usual', () => {
    const hidden = withColumn(all, '', 'type', false);
    expect(hidden).toBe('-type');
    expect(withColumn(all, hidden, 'load', true)).toBe('-type load');
    expect(withColumn(all, '-type load', 'type', true)).toBe('load');
    expect(withColumn(all, 'load', 'load', false)).toBe('');
  });
});
