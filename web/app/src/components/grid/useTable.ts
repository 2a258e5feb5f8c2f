// What a grid with its filter bar works on: the view, its sort and filters, and the selection.
import { computed, onScopeDispose, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue';
import { useRoute, useRouter } from 'vue-router';
import { GridView, type RowFilter, type SortOrder } from '@/lib/grid/gridView';
import type { GridRow, RowTable } from '@/lib/grid/rowTable';
import { NOTHING, withoutGone, type Selection } from '@/lib/selection';
import { remembered } from '@/lib/remembered';
import { statusRank } from '@/lib/status';
import { matchesText, readTableQuery, writeTableQuery, type TableState } from '@/lib/tableQuery';
import { chosenColumns, withColumn, type GridColumn } from './columns';

export interface TableRow extends GridRow {
  readonly status: string;
  readonly search: string;
}

export interface StatusCount {
  readonly status: string;
  readonly count: number;
  readonly on: boolean;
}

export interface Table<R extends TableRow> {
  readonly view: GridView<R>;
  /** All columns there are. */
  readonly columns: readonly GridColumn<R>[];
  /** Those that a person wants to see. */
  readonly chosen: ComputedRef<readonly GridColumn<R>[]>;
  readonly state: Readonly<Ref<TableState>>;
  readonly selection: ShallowRef<Selection>;
  /** The statuses that are present, and those that are filtered by, with the number of rows in each. */
  readonly counts: ComputedRef<StatusCount[]>;
  readonly total: ComputedRef<number>;
  readonly shownCount: ComputedRef<number>;
  /** The rows that are selected and shown: what a bulk action acts on. */
  readonly selected: ComputedRef<R[]>;
  /** Whether these are more, or others, than the row whose details are shown. */
  readonly several: ComputedRef<boolean>;
  select(selection: Selection): void;
  sortBy(key: string): void;
  showColumn(key: string, shown: boolean): void;
  toggleStatus(status: string): void;
  setText(text: string): void;
  clearFilter(): void;
}

/** Where the state lives: in the page's address, or with the component. */
interface StatePlace {
  readonly state: Readonly<Ref<TableState>>;
  set(change: Partial<TableState>): void;
}

/** `also` is a filter on top of the status and the text, reactive, and the same object as long as it is the same filter. */
export function useTable<R extends TableRow>(
  table: RowTable<R>,
  columns: readonly GridColumn<R>[],
  defaults: TableState,
  place: 'address' | 'component',
  also: () => RowFilter<R> | null = () => null,
  /** Under this name the browser remembers which columns are shown. */
  name = 'table',
): Table<R> {
  const stored = remembered(`shown-columns-${name}`, '');
  // As a text, so that nothing follows while the same columns have something to say.
  const speaking = computed(() => {
    void table.pulse.value;
    return columns.flatMap(({ key, saysSomething }) => (saysSomething && some(table.values(), saysSomething) ? [key] : [])).join(' ');
  });
  const chosen = computed(() => chosenColumns(columns, stored.value, new Set(speaking.value.split(' '))));
  const { state, set } = place === 'address' ? addressState(columns, defaults) : componentState(defaults);
  const view = new GridView(table, orderOf(columns, state.value.sort));
  const selection = shallowRef<Selection>(NOTHING);

  watch(
    () => [state.value.sort, state.value.descending] as const,
    ([sort, descending]) => view.setSort(orderOf(columns, sort), descending),
    { immediate: true },
  );
  watch(
    () => [state.value.statuses.join(','), state.value.text, also()] as const,
    () => view.setFilter(bothFilters(filterOf(state.value), also())),
    { immediate: true },
  );
  watch(view.shape, () => {
    // Until the rows were read nothing exists, and that is no reason to forget what the address selects.
    if (table.size > 0) selection.value = withoutGone(selection.value, (id) => table.get(id) !== undefined);
  });
  onScopeDispose(() => view.dispose());

  const counts = computed(() => {
    void table.pulse.value;
    const statuses = new Set([...table.counts.keys(), ...state.value.statuses]);
    return [...statuses]
      .sort((a, b) => statusRank(a) - statusRank(b))
      .map((status) => ({ status, count: table.counts.get(status) ?? 0, on: state.value.statuses.includes(status) }));
  });
  const total = computed(() => (void table.pulse.value, table.size));
  const shownCount = computed(() => (void view.shape.value, view.length));
  const selected = computed(() => {
    // The rows change in place: whoever shows what may be done with them must look again.
    void table.pulse.value;
    void view.shape.value;
    const rows: R[] = [];
    for (const id of selection.value.ids) {
      const row = view.shows(id) ? table.get(id) : undefined;
      if (row) rows.push(row);
    }
    return rows;
  });

  const several = computed(() => selected.value.length > (selection.value.active === null ? 0 : 1));

  function sortBy(key: string): void {
    const column = columns.find((candidate) => candidate.key === key);
    const same = state.value.sort === key;
    set({ sort: key, descending: same ? !state.value.descending : (column?.descendingFirst ?? false) });
  }

  function toggleStatus(status: string): void {
    const on = state.value.statuses;
    set({ statuses: on.includes(status) ? on.filter((other) => other !== status) : [...on, status] });
  }

  return {
    view,
    columns,
    chosen,
    state,
    selection,
    counts,
    total,
    shownCount,
    selected,
    several,
    select: (now) => (selection.value = now),
    sortBy,
    showColumn: (key, shown) => (stored.value = withColumn(columns, stored.value, key, shown)),
    toggleStatus,
    setText: (text) => set({ text }),
    clearFilter: () => set({ statuses: [], text: '' }),
  };
}

function some<R>(rows: Iterable<R>, holds: (row: R) => boolean): boolean {
  for (const row of rows) if (holds(row)) return true;
  return false;
}

function orderOf<R>(columns: readonly GridColumn<R>[], key: string): SortOrder<R> {
  const column = columns.find((candidate) => candidate.key === key && candidate.order);
  return column?.order ?? { fields: [], compare: () => 0 };
}

function filterOf<R extends TableRow>(state: TableState): RowFilter<R> | null {
  const { statuses, text } = state;
  if (statuses.length === 0 && text === '') return null;
  return {
    fields: ['status', 'search'],
    accepts: (row) => (statuses.length === 0 || statuses.includes(row.status)) && matchesText(row.search, text),
  };
}

function bothFilters<R>(one: RowFilter<R> | null, other: RowFilter<R> | null): RowFilter<R> | null {
  if (!one || !other) return one ?? other;
  return { fields: [...one.fields, ...other.fields], accepts: (row) => one.accepts(row) && other.accepts(row) };
}

function componentState(defaults: TableState): StatePlace {
  const state = shallowRef(defaults);
  return { state, set: (change) => (state.value = { ...state.value, ...change }) };
}

function addressState(columns: readonly { readonly key: string; readonly order?: unknown }[], defaults: TableState): StatePlace {
  const [route, router] = [useRoute(), useRouter()];
  const keys = columns.filter((column) => column.order).map((column) => column.key);
  const state = shallowRef(readTableQuery(route.query, defaults, keys));
  const home = route.name;
  watch(
    () => route.query,
    (query) => {
      // On the way to another page the query is that page's.
      if (route.name === home) state.value = readTableQuery(query, defaults, keys);
    },
  );
  function set(change: Partial<TableState>): void {
    state.value = { ...state.value, ...change };
    void router.replace({ query: writeTableQuery(state.value, defaults, route.query) });
  }
  return { state, set };
}
