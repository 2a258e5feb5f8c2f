// Sets of filters and sorts that a person gave a name, kept by the browser.
import type { LocationQuery } from 'vue-router';

export type ViewPage = 'jobs' | 'workers' | 'frames';

export interface SavedView {
  readonly page: ViewPage;
  readonly name: string;
  /** The parameters of the address that make it. */
  readonly query: Readonly<Record<string, string>>;
}

/** What of an address is a view, and not what is open in it. */
const KEYS: Readonly<Record<ViewPage, readonly string[]>> = {
  jobs: ['q', 'status', 'sort'],
  workers: ['q', 'status', 'sort'],
  frames: ['q', 'status', 'sort', 'range', 'slower', 'worker', 'output', 'view'],
};
export const LONGEST_NAME = 60;

/** Views as stored: a JSON array. What is no view is left out. */
export function parseViews(text: string): SavedView[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter(isView) : [];
  } catch {
    return [];
  }
}

function isView(value: unknown): value is SavedView {
  if (typeof value !== 'object' || value === null) return false;
  const { page, name, query } = value as Partial<Record<keyof SavedView, unknown>>;
  return typeof page === 'string' && page in KEYS && typeof name === 'string' && typeof query === 'object' && query !== null
    && Object.values(query).every((part) => typeof part === 'string');
}

/** The part of an address that a view of a page keeps. */
export function viewQuery(page: ViewPage, query: LocationQuery): Record<string, string> {
  return Object.fromEntries(KEYS[page].flatMap((key) => (typeof query[key] === 'string' && query[key] !== '' ? [[key, query[key]]] : [])));
}

/** The address of a page with a view: what is open stays open, and a filter that the view does not have goes. */
export function queryWithView(view: SavedView, query: LocationQuery): LocationQuery {
  const rest = Object.entries(query).filter(([key]) => !KEYS[view.page].includes(key));
  return { ...Object.fromEntries(rest), ...view.query };
}

/** Whether an address shows just this view. */
export function showsView(view: SavedView, query: LocationQuery): boolean {
  const now = viewQuery(view.page, query);
  const keys = new Set([...Object.keys(now), ...Object.keys(view.query)]);
  return [...keys].every((key) => now[key] === view.query[key]);
}

/** The list with a view more; one of the same name on the same page is replaced. In order of their names. */
export function withView(views: readonly SavedView[], view: SavedView): SavedView[] {
  return [...withoutView(views, view), view].sort((a, b) => a.name.localeCompare(b.name));
}

export function withoutView(views: readonly SavedView[], view: Pick<SavedView, 'page' | 'name'>): SavedView[] {
  return views.filter((one) => one.page !== view.page || one.name !== view.name);
}
