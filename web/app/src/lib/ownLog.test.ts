import { describe, expect, it } from 'vitest';
import { asText, NO_LOG_FILTER, ownLogLine, ownLogLines, passes, readLogFilter, writeLogFilter } from './ownLog';

describe('a line', () => {
  it.each([
    ['2026-02-03T14:05:31.123+01:00  INFO got a task <b>', '14:05:31', 'plain', 'got a task <b>'],
    ['2026-02-03T14:05:31Z  WARN cannot sign on', '14:05:31', 'warning', 'cannot sign on'],
    ['2026-02-03T14:05:31Z ERROR it broke', '14:05:31', 'error', 'it broke'],
    ['something else', '', 'plain', 'something else'],
  ])('%s', (line, clock, level, text) => expect(ownLogLine(line, 7)).toMatchObject({ key: 7, clock, level, text }));

  it('that goes on with the one before has its level', () => {
    const lines = ownLogLines(['2026-02-03T14:05:31Z ERROR it broke', '  because of this', '2026-02-03T14:05:32Z INFO on', 'and on'], 4);
    expect(lines.map(({ key, level }) => `${key} ${level}`)).toEqual(['4 error', '5 error', '6 plain', '7 plain']);
    expect(ownLogLines(['so'], 8, lines[0])[0]?.level).toBe('error');
  });

  it('is copied with its time, and with its level where that says something', () => {
    const lines = ownLogLines(['2026-02-03T14:05:31Z ERROR it broke', ' so', '2026-02-03T14:05:32Z  INFO on'], 0);
    expect(lines.map(asText)).toEqual(['2026-02-03T14:05:31Z ERROR it broke', ' so', '2026-02-03T14:05:32Z on']);
  });
});

describe('a filter', () => {
  const [error, warning, plain] = ownLogLines(
    ['2026-02-03T14:05:31Z ERROR disk is Full', '2026-02-03T14:05:31Z  WARN slow disk', '2026-02-03T14:05:31Z  INFO ready'],
    0,
  );
  it.each([
    [{}, 'error warning plain'],
    [{ level: 'warning' }, 'error warning'],
    [{ level: 'error' }, 'error'],
    [{ q: 'DISK' }, 'error warning'],
    [{ q: 'disk full' }, 'error'],
    [{ level: 'error', q: 'ready' }, ''],
    [{ level: 'nonsense', q: ['a', 'b'] }, 'error warning plain'],
  ])('%j lets through %s', (query, expected) => {
    const filter = readLogFilter(query);
    const named = { error, warning, plain };
    const through = Object.entries(named).filter(([, line]) => line && passes(line, filter));
    expect(through.map(([name]) => name).join(' ')).toBe(expected);
  });

  it('stands in the address', () => {
    expect(writeLogFilter(NO_LOG_FILTER)).toEqual({});
    expect(writeLogFilter({ least: 'error', text: 'disk' })).toEqual({ level: 'error', q: 'disk' });
  });
});
