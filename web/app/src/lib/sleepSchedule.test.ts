import { describe, expect, it } from 'vitest';
import { nextChange, nextChangeInWords, normalized, parseDays, parseTime, scheduleErrors, scheduleInWords, writeDays, type ScheduleText } from './sleepSchedule';

const schedule = (days: string, start: string, end: string, active = true): ScheduleText => ({
  is_active: active,
  days_of_week: days,
  start_time: start,
  end_time: end,
});
/** In the week that begins with Monday the 2nd. */
const at = (day: number, hour: number, minute = 0): Date => new Date(2026, 1, 2 + day, hour, minute, 30);

describe('parseDays', () => {
  it.each([
    ['mo tu we', [0, 1, 2], []],
    ['we mo tu', [0, 1, 2], []],
    ['SU, mo', [0, 6], []],
    ['mo mo Monday', [0], []],
    ['  ', [], []],
    ['mo xx t', [0], ['xx', 't']],
  ])('%j', (text, days, unknown) => expect(parseDays(text)).toEqual({ days, unknown }));

  it('writes them in the order of the week', () => expect(writeDays([6, 0, 3, 0])).toBe('mo th su'));
});

describe('parseTime', () => {
  it.each([
    ['9:00', 540],
    ['09:05', 545],
    ['00:00', 0],
    ['24:00', 1440],
    ['', null],
    [' ', null],
    ['24:01', undefined],
    ['9', undefined],
    ['9:5', undefined],
    ['9:60', undefined],
    ['morning', undefined],
  ])('%j is %s', (text, minutes) => expect(parseTime(text)).toBe(minutes));
});

describe('scheduleErrors', () => {
  it.each([
    [schedule('mo tu', '9:00', '18:00'), []],
    [schedule('', '', ''), []],
    [schedule('', '18:00', '09:00'), []],
    [schedule('', '9:00', '24:00'), []],
    [schedule('someday', '9', '25:00'), ['days', 'start', 'end']],
    [schedule('', '24:00', ''), ['start']],
    [schedule('', '9:00', '09:00'), ['end']],
    [schedule('', '', '0:00'), ['end']],
  ])('%j', (given, fields) => expect(Object.keys(scheduleErrors(given))).toEqual(fields));
});

describe('nextChange', () => {
  const office = schedule('mo tu we th fr', '9:00', '18:00');
  const nights = schedule('fr', '18:00', '9:00');
  it.each([
    ['before the start', office, at(0, 8), false, 60],
    ['at the start', office, at(0, 9), true, 540],
    ['a minute before the end', office, at(0, 17, 59), true, 1],
    ['after the last day', office, at(4, 20), false, (4 + 48 + 9) * 60],
    ['over midnight, before it', nights, at(4, 23), true, 600],
    ['over midnight, after it', nights, at(5, 8), true, 60],
    ['over midnight, a day that is not listed', nights, at(3, 23), false, 19 * 60],
    ['over the end of the week', schedule('su', '22:00', '6:00'), at(0, 5), true, 60],
    ['whole days in a row are one sleep', schedule('mo tu', '', ''), at(0, 12), true, 36 * 60],
    ['an end at 24:00', schedule('mo', '20:00', '24:00'), at(0, 21), true, 180],
    ['all the time', schedule('', '', ''), at(2, 12), true, null],
    ['nights that meet', schedule('', '12:00', '11:59'), at(2, 11, 58), true, 1],
  ])('%s', (_name, given, now, asleepNow, inMinutes) => expect(nextChange(given, now)).toEqual({ asleepNow, inMinutes }));
});

describe('in words', () => {
  it.each([
    [schedule('', '9:00', '18:00'), at(0, 8), 'By the schedule it is awake now, and goes to sleep today at 09:00.'],
    [schedule('', '18:00', '9:00'), at(0, 23), 'By the schedule it is asleep now, and wakes up tomorrow, Tuesday, at 09:00.'],
    [schedule('th', '9:00', ''), at(0, 23), 'By the schedule it is awake now, and goes to sleep on Thursday at 09:00.'],
    [schedule('mo', '9:00', '10:00'), at(0, 10), 'By the schedule it is awake now, and goes to sleep next Monday at 09:00.'],
    [schedule('', '', ''), at(0, 10), 'It sleeps all the time, and is never woken.'],
    [schedule('', '9:00', '18:00', false), at(0, 8), 'The schedule is off: it neither sends this worker to sleep nor wakes it.'],
    [schedule('', 'x', '18:00'), at(0, 8), ''],
  ])('%j', (given, now, words) => expect(nextChangeInWords(given, now)).toBe(words));

  it.each([
    [schedule('', '', ''), 'Sleeps all day every day.'],
    [schedule('sa su', '', '24:00'), 'Sleeps all day on Saturday and Sunday.'],
    [schedule('mo we fr', '18:00', '9:00'), 'Sleeps on Monday, Wednesday and Friday from 18:00 to 09:00 on the day after.'],
  ])('%j', (given, words) => expect(scheduleInWords(given)).toBe(words));
});

describe('normalized', () => {
  it('is what the manager takes', () => {
    expect(normalized(schedule('Fr, mo', '9:00', '24:00'))).toEqual(schedule('mo fr', '09:00', ''));
  });
});
