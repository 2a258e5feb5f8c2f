import { describe, expect, it } from 'vitest';
import { parseViews, queryWithView, showsView, viewQuery, withView, withoutView, type SavedView } from './savedViews';

const failed: SavedView = { page: 'jobs', name: 'Failed', query: { status: 'failed', sort: '-updated' } };

describe('what is stored', () => {
  it('is read as it was written', () => expect(parseViews(JSON.stringify([failed]))).toEqual([failed]));
  it.each([['nonsense'], ['{}'], ['null'], ['[1, null, {"page":"jobs"}, {"page":"else","name":"x","query":{}}, {"page":"jobs","name":"x","query":{"q":1}}]']])('of %s nothing', (text) => {
    expect(parseViews(text)).toEqual([]);
  });
});

describe('an address', () => {
  it('is a view without what is open in it', () => {
    expect(viewQuery('jobs', { q: 'shot', status: 'failed', job: '1', sort: '' })).toEqual({ q: 'shot', status: 'failed' });
    expect(viewQuery('frames', { range: '1-5', view: 'table', output: ['a', 'b'] })).toEqual({ range: '1-5', view: 'table' });
  });
  it('takes a view, and keeps what is open', () => {
    expect(queryWithView(failed, { job: '1', q: 'shot' })).toEqual({ job: '1', status: 'failed', sort: '-updated' });
  });
  it('shows a view or does not', () => {
    expect(showsView(failed, { status: 'failed', sort: '-updated', job: '1' })).toBe(true);
    expect(showsView(failed, { status: 'failed', sort: '-updated', q: 'x' })).toBe(false);
    expect(showsView(failed, {})).toBe(false);
  });
});

it('a view has its name to itself on its page', () => {
  const again = { ...failed, query: { q: 'x' } };
  const elsewhere: SavedView = { ...failed, page: 'workers' };
  const all = withView(withView([failed], elsewhere), again);
  expect(all).toHaveLength(2);
  expect(all).toContainEqual(again);
  expect(withoutView(all, failed)).toEqual([elsewhere]);
  expect(withView([failed], { ...failed, name: 'Active' }).map(({ name }) => name)).toEqual(['Active', 'Failed']);
});
