// One sorted and filtered look at a table: an array of slot numbers. A change moves a row only when it touches a field of
// the current sort or filter; those few are taken out, sorted, and put back by binary search.
import { markRaw, shallowRef } from 'vue';
import type { GridRow, RowTable, TableWatcher } from './rowTable';

export interface SortOrder<R> {
  /** Fields that `compare` reads. */
  readonly fields: readonly (keyof R & string)[];
  compare(a: R, b: R): number;
}

export interface RowFilter<R> {
  /** Fields that `accepts` reads. */
  readonly fields: readonly (keyof R & string)[];
  accepts(row: R): boolean;
}

export class GridView<R extends GridRow> implements TableWatcher {
  /** Raised when a shown row may have to be drawn again. */
  readonly content = shallowRef(0);
  /** Raised when rows came, went or moved. */
  readonly shape = shallowRef(0);

  private order = new Uint32Array(64);
  private shownCount = 0;
  /** 1 for each slot that is in `order`. */
  private shown = new Uint8Array(64);
  /** 1 for each slot that must be taken out and looked at again. */
  private marks = new Uint8Array(64);
  private marked: number[] = [];
  private sortAll = true;
  private redraw = false;
  private holders = 0;
  private descending = false;
  private moving = new Set<string>();
  private readonly unwatch: () => void;

  constructor(
    readonly table: RowTable<R>,
    private sort: SortOrder<R>,
    private filter: RowFilter<R> | null = null,
  ) {
    markRaw(this);
    this.collectMovingFields();
    this.unwatch = table.watch(this);
    this.flush();
  }

  dispose(): void {
    this.unwatch();
  }

  /** Number of shown rows. Read {@link shape} first where it must be reactive. */
  get length(): number {
    return this.shownCount;
  }

  rowAt(index: number): R | undefined {
    return index < 0 || index >= this.shownCount ? undefined : this.table.rowAt(this.order[index] ?? -1);
  }

  /** Position of a row, or -1 if it is not shown. */
  indexOf(id: string): number {
    const slot = this.table.slotOf(id);
    if (slot === undefined || this.shown[slot] !== 1) return -1;
    const index = this.order.indexOf(slot);
    return index < this.shownCount ? index : -1;
  }

  /** Whether a row passes the filter, as of the last flush. */
  shows(id: string): boolean {
    const slot = this.table.slotOf(id);
    return slot !== undefined && this.shown[slot] === 1;
  }

  ids(): string[] {
    return this.idsBetween(0, this.shownCount - 1);
  }

  /** Ids from one row to the other in shown order, both included; empty if either is not shown. */
  range(from: string, to: string): string[] {
    const [a, b] = [this.indexOf(from), this.indexOf(to)];
    return a < 0 || b < 0 ? [] : this.idsBetween(Math.min(a, b), Math.max(a, b));
  }

  setSort(sort: SortOrder<R>, descending: boolean): void {
    this.sort = sort;
    this.descending = descending;
    this.rebuild();
  }

  setFilter(filter: RowFilter<R> | null): void {
    this.filter = filter;
    this.rebuild();
  }

  /** Keeps every row in its place until `release`: while Shift is down, a menu is open, or something is dragged. */
  hold(): void {
    this.holders++;
  }

  release(): void {
    this.holders = Math.max(0, this.holders - 1);
    if (this.holders === 0) this.flush();
  }

  appeared(slot: number): void {
    this.mark(slot);
  }

  changed(slot: number, fields: readonly string[]): void {
    if (this.shown[slot] === 1) this.redraw = true;
    if (fields.some((field) => this.moving.has(field))) this.mark(slot);
  }

  vanished(slot: number): void {
    this.mark(slot);
  }

  cleared(): void {
    this.sortAll = true;
  }

  flush(): void {
    if (this.sortAll) {
      this.orderAll();
    } else if (this.marked.length > 0 && this.holders === 0) {
      this.moveMarked();
    } else if (!this.redraw) {
      return;
    }
    this.redraw = false;
    this.content.value++;
  }

  private rebuild(): void {
    this.collectMovingFields();
    this.sortAll = true;
    this.flush();
  }

  private collectMovingFields(): void {
    this.moving = new Set([...this.sort.fields, ...(this.filter?.fields ?? [])]);
  }

  private mark(slot: number): void {
    this.reserve(slot + 1);
    if (this.marks[slot] === 1) return;
    this.marks[slot] = 1;
    this.marked.push(slot);
  }

  private accepts(slot: number): boolean {
    const row = this.table.rowAt(slot);
    return row !== undefined && (this.filter === null || this.filter.accepts(row));
  }

  private readonly compareSlots = (a: number, b: number): number => {
    const [x, y] = [this.table.rowAt(a), this.table.rowAt(b)];
    if (!x || !y) return a - b;
    const order = this.sort.compare(x, y);
    // The slot decides between equals, so that the order is total and a binary search finds the one place.
    return order === 0 ? a - b : this.descending ? -order : order;
  };

  private orderAll(): void {
    this.reserve(this.table.capacity);
    this.shown.fill(0);
    this.marks.fill(0);
    this.marked = [];
    const slots: number[] = [];
    for (let slot = 0; slot < this.table.capacity; slot++) if (this.accepts(slot)) slots.push(slot);
    slots.sort(this.compareSlots);
    this.order.set(slots);
    for (const slot of slots) this.shown[slot] = 1;
    this.shownCount = slots.length;
    this.sortAll = false;
    this.shape.value++;
  }

  private moveMarked(): void {
    const { order, marks, shown } = this;
    let end = 0;
    for (let index = 0; index < this.shownCount; index++) {
      const slot = order[index] ?? 0;
      if (marks[slot] !== 1) order[end++] = slot;
    }
    const movers: number[] = [];
    for (const slot of this.marked) {
      marks[slot] = 0;
      const accepted = this.accepts(slot);
      shown[slot] = accepted ? 1 : 0;
      if (accepted) movers.push(slot);
    }
    this.marked = [];
    movers.sort(this.compareSlots);
    // From the back, so that everything moves at most once.
    let free = end + movers.length;
    this.shownCount = free;
    for (let m = movers.length - 1; m >= 0; m--) {
      const mover = movers[m] ?? 0;
      const place = this.placeFor(mover, end);
      free -= end - place;
      order.copyWithin(free, place, end);
      order[--free] = mover;
      end = place;
    }
    this.shape.value++;
  }

  /** First position below `end` whose row comes after that of `slot`. */
  private placeFor(slot: number, end: number): number {
    let [low, high] = [0, end];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compareSlots(this.order[middle] ?? 0, slot) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private idsBetween(first: number, last: number): string[] {
    const ids: string[] = [];
    for (let index = first; index <= last; index++) {
      const row = this.rowAt(index);
      if (row) ids.push(row.id);
    }
    return ids;
  }

  private reserve(slots: number): void {
    if (slots <= this.order.length) return;
    const capacity = Math.max(slots, this.order.length * 2);
    const grown = new Uint32Array(capacity);
    grown.set(this.order);
    this.order = grown;
    for (const key of ['shown', 'marks'] as const) {
      const flags = new Uint8Array(capacity);
      flags.set(this[key]);
      this[key] = flags;
    }
  }
}
