import { describe, expect, it } from 'vitest';
import { actionTargets, findTargets, mayBePath, pathTargets } from './palette';

const row = (name: string, updated: number, shot = name) => ({ id: name, name, status: 'active', search: name.toLowerCase(), updated, shot });
const jobs = [row('Shot 1', 1), row('Shot 2', 2), row('Other', 3)];
const workers = [row('node-shot', 1)];

const ADMIN = { may: () => true };

describe('findTargets', () => {
  it('leaves out what is not for the role, and offers to sign in or out', () => {
    const labels = (seeker: Parameters<typeof findTargets>[4], text = '') => findTargets(text, [], [], [], seeker).map((target) => target.label);
    expect(labels(ADMIN)).toEqual(expect.arrayContaining(['Audit trail', 'Settings']));
    const viewer = { may: (deed: string) => deed === 'look', session: 'sign-in' } as const;
    expect(labels(viewer)).not.toEqual(expect.arrayContaining(['Audit trail']));
    expect(labels(viewer)).not.toEqual(expect.arrayContaining(['Settings']));
    expect(labels(viewer, 'sign')).toEqual(['Sign in']);
    expect(labels({ ...viewer, session: 'sign-out' }, 'sign')).toEqual(['Sign out']);
  });

  it.each([
    ['shot', 'Shots|Shot 2|Shot 1|node-shot'],
    ['work', 'Workers'],
    ['zzz', ''],
  ])('%s', (text, expected) => {
    expect(findTargets(text, jobs, workers, [], ADMIN).map((target) => target.label).join('|')).toBe(expected);
  });

  it('shows pages and the latest of everything for no text', () => {
    expect(findTargets('', jobs, workers, [], ADMIN).map((target) => target.kind)).toEqual([...Array<string>(10).fill('page'), 'theme', 'job', 'job', 'job', 'worker']);
  });

  it('offers what can be done with the job that is looked at, first', () => {
    const job = { id: 'x', name: 'Shot 9' };
    expect(actionTargets(undefined, ADMIN).map(({ id }) => id)).toEqual(['clean-up']);
    expect(actionTargets(job, { may: (deed) => deed === 'submit jobs' }).map(({ id }) => id)).toEqual(['resubmit']);
    expect(actionTargets(job, { may: (deed) => deed === 'look' })).toEqual([]);
    const actions = actionTargets(job, ADMIN);
    expect(findTargets('again shot', jobs, workers, [], ADMIN, actions).map(({ kind, label }) => `${kind} ${label}`)).toEqual(['action Submit again: Shot 9']);
    expect(findTargets('', jobs, workers, [], ADMIN, actions)[0]?.id).toBe('resubmit');
  });

  it('finds saved views of the pages, and shots by their own name', () => {
    const views = [
      { page: 'jobs' as const, name: 'Failed today', query: { status: 'failed' } },
      { page: 'frames' as const, name: 'Failed frames', query: { status: 'failed' } },
    ];
    expect(findTargets('failed', [], [], views, ADMIN)).toEqual([{ kind: 'view', id: 'jobs', label: 'Failed today', query: { status: 'failed' } }]);
    const found = findTargets('sh010', [row('a', 1, 'sh010'), row('b', 2, 'sh010'), row('sh010 alone', 3)], [], [], ADMIN);
    expect(found.filter(({ kind }) => kind === 'shot').map(({ label }) => label)).toEqual(['sh010']);
  });

  it('shows what was found by a path with that path', () => {
    expect([mayBePath(' ab '), mayBePath('a/b')]).toEqual([false, true]);
    const job = { id: 'j', name: 'Job', status: 'active' as const, path: '/out/0007.png', frame: 7 };
    expect(pathTargets([job])).toEqual([{ kind: 'path', id: 'j', label: 'Job', status: 'active', detail: '/out/0007.png', frame: 7 }]);
  });

  it('shows only so many of thousands', () => {
    const many = Array.from({ length: 5000 }, (_, n) => row(`shot ${n}`, n));
    const found = findTargets('shot', many, [], [], ADMIN).filter((target) => target.kind === 'job');
    expect(found).toHaveLength(12);
    expect(found[0]?.label).toBe('shot 4999');
  });
});
