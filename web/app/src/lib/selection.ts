// Which rows are selected, which one is active, and from where Shift counts. The anchor is an id: a live update that
// sorts the table anew does not move it.

export interface Selection {
  readonly ids: ReadonlySet<string>;
  /** The row whose details are shown. */
  readonly active: string | null;
  readonly anchor: string | null;
}

export const NOTHING: Selection = { ids: new Set(), active: null, anchor: null };

/** Ids of the rows from one to the other in shown order, whichever comes first; empty if either is not shown. */
export type RangeOf = (from: string, to: string) => string[];

export interface Modifiers {
  readonly toggle: boolean;
  readonly extend: boolean;
}

export function selectOnly(id: string): Selection {
  return { ids: new Set([id]), active: id, anchor: id };
}

/** A click, or an arrow key that lands on `id`. */
export function clickRow(now: Selection, id: string, modifiers: Modifiers, rangeOf: RangeOf): Selection {
  if (modifiers.extend && now.anchor !== null) {
    const range = rangeOf(now.anchor, id);
    // The anchor may be hidden by a filter or deleted; then this row starts anew.
    if (range.length === 0) return selectOnly(id);
    return { ids: new Set([...(modifiers.toggle ? now.ids : []), ...range]), active: id, anchor: now.anchor };
  }
  if (!modifiers.toggle) return selectOnly(id);
  const ids = new Set(now.ids);
  if (ids.delete(id)) return { ids, active: null, anchor: id };
  ids.add(id);
  return { ids, active: id, anchor: id };
}

/** Takes a row in or out, and shows the details of none: on a small screen these would cover the rows. */
export function pickRow(now: Selection, id: string): Selection {
  const ids = new Set(now.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ids, active: null, anchor: id };
}

/** Whether rows are being picked one by one, so that a tap on another one means that, too. */
export function isPicking(now: Selection): boolean {
  return now.active === null && now.ids.size > 0;
}

/** The selection without rows that no longer exist. The same object if nothing changes. */
export function withoutGone(now: Selection, exists: (id: string) => boolean): Selection {
  const gone = [...now.ids].some((id) => !exists(id)) || (now.active !== null && !exists(now.active));
  if (!gone) return now;
  return {
    ids: new Set([...now.ids].filter(exists)),
    active: now.active !== null && exists(now.active) ? now.active : null,
    anchor: now.anchor !== null && exists(now.anchor) ? now.anchor : null,
  };
}
