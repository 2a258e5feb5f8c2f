// The rows behind a grid: plain objects in slots, changed in place. Vue sees two counters and never a row, because a
// Proxy per row cannot keep up with 100,000 rows under a live feed.
import { shallowRef } from 'vue';

export interface GridRow {
  readonly id: string;
  /** Raised by every change; tells the grid that a row must be drawn again. */
  rev: number;
}

/** What a table tells its views. `slot` stays the same for as long as the row lives. */
export interface TableWatcher {
  appeared(slot: number): void;
  changed(slot: number, fields: readonly string[]): void;
  vanished(slot: number): void;
  cleared(): void;
  flush(): void;
}

/** Runs a function once, soon. */
export type Scheduler = (run: () => void) => void;

/** At most one run per animation frame, and at most one per `interval` milliseconds. */
export function frameScheduler(interval: number): Scheduler {
  let last = 0;
  let pending = false;
  return (run) => {
    if (pending) return;
    pending = true;
    const fire = (): void => {
      pending = false;
      last = performance.now();
      run();
    };
    const wait = Math.max(0, last + interval - performance.now());
    // A hidden page gets no animation frames, but its counters must stay true.
    setTimeout(() => (document.hidden ? fire() : requestAnimationFrame(fire)), wait);
  };
}

export const FLUSH_INTERVAL = 100;

export class RowTable<R extends GridRow> {
  /** Raised once per flush, for the few places that show a sum or a single row. */
  readonly pulse = shallowRef(0);

  private readonly rows: (R | undefined)[] = [];
  private readonly slots = new Map<string, number>();
  private readonly groups: (string | undefined)[] = [];
  private readonly groupCounts = new Map<string, number>();
  private readonly watchers = new Set<TableWatcher>();

  constructor(
    /** The group that a row is counted in: its status. */
    private readonly groupOf: (row: R) => string,
    private readonly schedule: Scheduler = frameScheduler(FLUSH_INTERVAL),
  ) {
  }

  get size(): number {
    return this.slots.size;
  }

  /** One more than the largest slot in use. */
  get capacity(): number {
    return this.rows.length;
  }

  /** Number of rows per group. Not reactive: read {@link pulse} first. */
  get counts(): ReadonlyMap<string, number> {
    return this.groupCounts;
  }

  get(id: string): R | undefined {
    const slot = this.slots.get(id);
    return slot === undefined ? undefined : this.rows[slot];
  }

  rowAt(slot: number): R | undefined {
    return this.rows[slot];
  }

  slotOf(id: string): number | undefined {
    return this.slots.get(id);
  }

  *values(): Generator<R> {
    for (const row of this.rows) if (row) yield row;
  }

  watch(watcher: TableWatcher): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Adds a row, or changes the one with this id in place. */
  put(row: R): void {
    if (this.slots.has(row.id)) {
      this.patch(row.id, row);
      return;
    }
    const slot = this.rows.length;
    this.rows.push(row);
    this.slots.set(row.id, slot);
    this.regroup(slot, this.groupOf(row));
    for (const watcher of this.watchers) watcher.appeared(slot);
    this.requestFlush();
  }

  /** Changes fields of a row in place. False if there is no such row. */
  patch(id: string, fields: Partial<R>): boolean {
    const slot = this.slots.get(id);
    const row = slot === undefined ? undefined : this.rows[slot];
    if (slot === undefined || !row) return false;
    const changed: string[] = [];
    for (const key of Object.keys(fields) as (keyof R & string)[]) {
      if (key === 'rev' || key === 'id' || Object.is(row[key], fields[key])) continue;
      row[key] = fields[key] as R[typeof key];
      changed.push(key);
    }
    if (changed.length === 0) return true;
    row.rev++;
    this.regroup(slot, this.groupOf(row));
    for (const watcher of this.watchers) watcher.changed(slot, changed);
    this.requestFlush();
    return true;
  }

  remove(id: string): boolean {
    const slot = this.slots.get(id);
    if (slot === undefined) return false;
    this.slots.delete(id);
    // The slot is not used again, so that a view that holds still never shows another row in this place.
    this.rows[slot] = undefined;
    this.regroup(slot, undefined);
    for (const watcher of this.watchers) watcher.vanished(slot);
    this.requestFlush();
    return true;
  }

  clear(): void {
    this.rows.length = 0;
    this.groups.length = 0;
    this.slots.clear();
    this.groupCounts.clear();
    for (const watcher of this.watchers) watcher.cleared();
    this.flush();
  }

  /** Brings all views up to date now. Otherwise that happens with the next animation frame. */
  flush(): void {
    for (const watcher of this.watchers) watcher.flush();
    this.pulse.value++;
  }

  private requestFlush(): void {
    this.schedule(() => this.flush());
  }

  private regroup(slot: number, group: string | undefined): void {
    const before = this.groups[slot];
    if (before === group) return;
    this.groups[slot] = group;
    if (before !== undefined) {
      const left = (this.groupCounts.get(before) ?? 1) - 1;
      if (left === 0) this.groupCounts.delete(before);
      else this.groupCounts.set(before, left);
    }
    if (group !== undefined) this.groupCounts.set(group, (this.groupCounts.get(group) ?? 0) + 1);
  }
}
