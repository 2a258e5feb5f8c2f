// What a key does to the selection of a grid.
import type { GridView } from '@/lib/grid/gridView';
import type { GridRow } from '@/lib/grid/rowTable';
import { NOTHING, clickRow, type Selection } from '@/lib/selection';

export interface KeyPress {
  readonly key: string;
  readonly shiftKey: boolean;
  /** Ctrl, or Command on a Mac. */
  readonly command: boolean;
}

export type KeyResult =
  | { readonly kind: 'select'; readonly selection: Selection; readonly reveal: number }
  | { readonly kind: 'open'; readonly id: string };

/** The effect of a key, or `undefined` if the grid has no use for it. `page` is the number of rows on the screen. */
export function pressKey<R extends GridRow>(
  press: KeyPress,
  now: Selection,
  view: GridView<R>,
  page: number,
): KeyResult | undefined {
  const current = view.indexOf(now.active ?? now.anchor ?? '');
  const id = view.rowAt(current)?.id;
  if (press.command && press.key.toLowerCase() === 'a') {
    return { kind: 'select', selection: { ...now, ids: new Set(view.ids()) }, reveal: current };
  }
  switch (press.key) {
    case 'Escape':
      return now.ids.size > 0 ? { kind: 'select', selection: NOTHING, reveal: -1 } : undefined;
    case 'Enter':
      return id === undefined ? undefined : { kind: 'open', id };
    case ' ':
      return id === undefined ? undefined : select(id, current, { toggle: true, extend: press.shiftKey }, now, view);
    default: {
      const target = targetOf(press.key, current, view.length, page);
      const row = target === undefined ? undefined : view.rowAt(target);
      if (target === undefined || !row) return undefined;
      return select(row.id, target, { toggle: press.command, extend: press.shiftKey }, now, view);
    }
  }
}

function select<R extends GridRow>(
  id: string,
  index: number,
  modifiers: { toggle: boolean; extend: boolean },
  now: Selection,
  view: GridView<R>,
): KeyResult {
  const selection = clickRow(now, id, modifiers, (from, to) => view.range(from, to));
  return { kind: 'select', selection, reveal: index };
}

function targetOf(key: string, current: number, length: number, page: number): number | undefined {
  if (length === 0) return undefined;
  const last = length - 1;
  switch (key) {
    case 'ArrowDown':
      return Math.min(last, current + 1);
    case 'ArrowUp':
      return current < 0 ? last : Math.max(0, current - 1);
    case 'PageDown':
      return Math.min(last, Math.max(0, current) + page);
    case 'PageUp':
      return Math.max(0, current - page);
    case 'Home':
      return 0;
    case 'End':
      return last;
    default:
      return undefined;
  }
}
