// Sleep schedules: reading what was typed, and saying when the next change comes. Pure. The same rules as the manager's:
// a sleep begins on the days that are listed (none: every day); without a start it begins at midnight, without an end it
// lasts until midnight; an end that is not after the start is on the day after.

export const DAYS = ['mo', 'tu', 'we', 'th', 'fr', 'sa', 'su'] as const;
export const DAY_NAMES = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const;
const MINUTES_A_DAY = 24 * 60;
const MINUTES_A_WEEK = 7 * MINUTES_A_DAY;

/** As it is sent and typed. */
export interface ScheduleText {
  readonly is_active: boolean;
  readonly days_of_week: string;
  readonly start_time: string;
  readonly end_time: string;
}

export interface ScheduleErrors {
  readonly days?: string;
  readonly start?: string;
  readonly end?: string;
}

/** The days of a text as numbers, Monday first: any order, any case, blanks or commas in between. */
export function parseDays(text: string): { days: number[]; unknown: string[] } {
  const days = new Set<number>();
  const unknown: string[] = [];
  for (const word of text.split(/[\s,]+/).filter(Boolean)) {
    const day = word.length < 2 ? -1 : DAY_NAMES.findIndex((name) => name.toLowerCase().startsWith(word.toLowerCase()));
    if (day < 0) unknown.push(word);
    else days.add(day);
  }
  return { days: [...days].sort((a, b) => a - b), unknown };
}

export function writeDays(days: Iterable<number>): string {
  return [...new Set(days)].sort((a, b) => a - b).map((day) => DAYS[day]).join(' ');
}

/** Minutes since midnight, 0 to 1440; null for an empty text, `undefined` for one that is no time. */
export function parseTime(text: string): number | null | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  const match = /^(\d{1,2}):(\d{2})$/.exec(trimmed);
  if (!match) return undefined;
  const minutes = Number(match[1]) * 60 + Number(match[2]);
  return Number(match[2]) < 60 && minutes <= MINUTES_A_DAY ? minutes : undefined;
}

const NO_TIME = 'Write a time of day as 09:30, from 00:00 to 24:00, or leave it empty.';

/** What is wrong with a schedule, by field; nothing if it can be saved. */
export function scheduleErrors(schedule: ScheduleText): ScheduleErrors {
  const errors: { -readonly [field in keyof ScheduleErrors]: string } = {};
  const { unknown } = parseDays(schedule.days_of_week);
  if (unknown.length > 0) errors.days = `“${unknown[0]}” is not a day. Write mo, tu, we, th, fr, sa or su.`;
  const [start, end] = [parseTime(schedule.start_time), parseTime(schedule.end_time)];
  if (start === undefined) errors.start = NO_TIME;
  else if (start === MINUTES_A_DAY) errors.start = 'A sleep cannot begin at 24:00. Write 00:00, on the day after.';
  if (end === undefined) errors.end = NO_TIME;
  else if (end !== null && start !== undefined && end === (start ?? 0)) {
    errors.end = 'The end is the same as the start, so it would never sleep. Leave both empty for whole days.';
  }
  return errors;
}

/** A schedule as the manager takes it: `24:00` is an empty end there, and the days are in the order of the week. */
export function normalized(schedule: ScheduleText): ScheduleText {
  const time = (text: string): string => {
    const minutes = parseTime(text);
    return minutes === null || minutes === undefined || minutes === MINUTES_A_DAY ? '' : clock(minutes);
  };
  return {
    is_active: schedule.is_active,
    days_of_week: writeDays(parseDays(schedule.days_of_week).days),
    start_time: time(schedule.start_time),
    end_time: time(schedule.end_time),
  };
}

/** For each minute of the week, from Monday 00:00, whether the worker is to sleep. */
function asleepByMinute(schedule: ScheduleText): Uint8Array {
  const { days } = parseDays(schedule.days_of_week);
  const start = parseTime(schedule.start_time) ?? 0;
  const end = parseTime(schedule.end_time) ?? MINUTES_A_DAY;
  const length = end > start ? end - start : end + MINUTES_A_DAY - start;
  const asleep = new Uint8Array(MINUTES_A_WEEK);
  for (const day of days.length > 0 ? days : DAYS.keys()) {
    for (let minute = 0; minute < length; minute++) asleep[(day * MINUTES_A_DAY + start + minute) % MINUTES_A_WEEK] = 1;
  }
  return asleep;
}

export interface NextChange {
  readonly asleepNow: boolean;
  /** Minutes until the change; null when nothing ever changes. */
  readonly inMinutes: number | null;
}

/** When a schedule without errors changes next. `now` is on the clock by which the schedule goes. */
export function nextChange(schedule: ScheduleText, now: Date): NextChange {
  const asleep = asleepByMinute(schedule);
  const minute = ((now.getDay() + 6) % 7) * MINUTES_A_DAY + now.getHours() * 60 + now.getMinutes();
  const asleepNow = asleep[minute] === 1;
  for (let ahead = 1; ahead <= MINUTES_A_WEEK; ahead++) {
    if ((asleep[(minute + ahead) % MINUTES_A_WEEK] === 1) !== asleepNow) return { asleepNow, inMinutes: ahead };
  }
  return { asleepNow, inMinutes: null };
}

/** The next change in plain words. */
export function nextChangeInWords(schedule: ScheduleText, now: Date): string {
  if (!schedule.is_active) return 'The schedule is off: it neither sends this worker to sleep nor wakes it.';
  if (Object.keys(scheduleErrors(schedule)).length > 0) return '';
  const { asleepNow, inMinutes } = nextChange(schedule, now);
  if (inMinutes === null) return 'It sleeps all the time, and is never woken.';
  const day = Math.floor((now.getHours() * 60 + now.getMinutes() + inMinutes) / MINUTES_A_DAY);
  const at = clock((now.getHours() * 60 + now.getMinutes() + inMinutes) % MINUTES_A_DAY);
  const name = DAY_NAMES[(((now.getDay() + 6) % 7) + day) % 7];
  const when = day === 0 ? `today at ${at}` : day === 1 ? `tomorrow, ${name}, at ${at}` : day >= 7 ? `next ${name} at ${at}` : `on ${name} at ${at}`;
  return asleepNow ? `By the schedule it is asleep now, and wakes up ${when}.` : `By the schedule it is awake now, and goes to sleep ${when}.`;
}

/** The whole schedule in a sentence, for whoever only looks. */
export function scheduleInWords(schedule: ScheduleText): string {
  const { days } = parseDays(schedule.days_of_week);
  const which = days.length === 0 || days.length === 7 ? 'every day' : `on ${listed(days.map((day) => DAY_NAMES[day] ?? ''))}`;
  const [start, end] = [parseTime(schedule.start_time) ?? 0, parseTime(schedule.end_time) ?? MINUTES_A_DAY];
  if (start === 0 && end === MINUTES_A_DAY) return `Sleeps all day ${which}.`;
  return `Sleeps ${which} from ${clock(start)} to ${clock(end)}${end <= start ? ' on the day after' : ''}.`;
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

function clock(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
}
