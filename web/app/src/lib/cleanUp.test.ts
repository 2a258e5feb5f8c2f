import { describe, expect, it } from 'vitest';
import type { JobMassDeletionPreview } from '@/api/types';
import { byStatus, goesToo, isNumber, momentOf, stays } from './cleanUp';

const now = new Date(2026, 2, 31, 12, 30).getTime();
const local = (...parts: [number, number, number, number?, number?, number?]) => new Date(...parts);

describe('the moment', () => {
  it.each([
    ['2 weeks', '', local(2026, 2, 17, 12, 30)],
    // There is no 31 February.
    ['1 month', '', local(2026, 1, 28, 12, 30)],
    ['3 months', '', local(2025, 11, 31, 12, 30)],
    ['date', '2026-03-01', local(2026, 1, 28, 23, 59, 59)],
    ['date', '2026-03-31', local(2026, 2, 30, 23, 59, 59)],
    ['date', '2026-04-01', undefined],
    ['date', '', undefined],
    ['date', '2026-13-01', undefined],
  ] as const)('%s %s', (age, date, expected) => {
    // Clocks may have been put forward in between; whoever says two weeks does not mind the hour.
    const [got, wanted] = [momentOf(age, date, now)?.getTime(), expected?.getTime()];
    if (wanted === undefined) expect(got).toBeUndefined();
    else expect(Math.abs((got ?? 0) - wanted)).toBeLessThanOrEqual(3_600_000);
  });
});

const preview: JobMassDeletionPreview = {
  moment: '2026-01-01T00:00:00Z', total: 1003, statuses: [{ status: 'completed', jobs: 1000 }, { status: 'active', jobs: 1 }, { status: 'paused', jobs: 2 }],
  jobs: [], shaman_checkouts: 2, shared_checkouts: 1, kept_statuses: [{ status: 'failed', jobs: 4 }, { status: 'queued', jobs: 1 }], kept_newer: 1, already_marked: 0,
};

describe('what is told', () => {
  it('says what goes too', () => {
    expect(byStatus(preview.statuses)).toBe('1,000 completed, 1 active, 2 paused');
    expect(goesToo(preview)).toEqual([
      'Their tasks, logs and thumbnails.',
      'The work that 3 unfinished jobs still have to do: they are canceled first.',
      '2 Shaman checkouts, with the links to the files in them.',
    ]);
    expect(goesToo({ ...preview, statuses: [], shaman_checkouts: 0 })).toHaveLength(1);
  });

  it('says what stays, and why', () => {
    expect(stays(preview)).toEqual([
      'The rendered files of all jobs.',
      '1 Shaman checkout that a job uses which stays.',
      '1 job that was changed later.',
      '5 jobs that are old enough, in statuses that are not chosen: 4 failed, 1 queued.',
    ]);
  });

  it('wants the number itself', () => {
    expect(['1003', ' 1,003 ', '1 003'].map((typed) => isNumber(typed, 1003))).toEqual([true, true, true]);
    expect(['', '100', '1003.0', 'yes'].map((typed) => isNumber(typed, 1003))).toEqual([false, false, false, false]);
    expect(isNumber('0', 0)).toBe(false);
  });
});
