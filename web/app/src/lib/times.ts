// Points in time in words. All times are milliseconds since 1970.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEP = 5 * SECOND;

/** From this age on, a date says more than "23 d ago". */
const DATE_AFTER = 14 * DAY;

/** A wire timestamp as milliseconds; 0 when absent or unreadable. */
export function parseTime(text: string | undefined | null): number {
  if (!text) return 0;
  const time = Date.parse(text);
  return Number.isNaN(time) ? 0 : time;
}

/** How long ago, short enough for a table cell; a date once it is two weeks. */
export function relativeTime(then: number, now: number): string {
  if (then === 0) return 'never';
  const age = now - then;
  // Clocks of browser and manager differ by a little; the future is not worth a word of its own.
  if (age < 5 * SECOND) return 'just now';
  // In steps: a table in which every row changes with every second is restless, and costs.
  if (age < MINUTE) return `${Math.floor(age / STEP) * (STEP / SECOND)} s ago`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h ago`;
  if (age < DATE_AFTER) return `${Math.floor(age / DAY)} d ago`;
  return isoDate(then);
}

/** Date and time to the second in the viewer's time zone, sortable as text. */
export function absoluteTime(then: number): string {
  if (then === 0) return 'never';
  const date = new Date(then);
  return `${isoDate(then)} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Time of day below 24 hours of age, else date and time of day. */
export function messageTime(then: number, now: number): string {
  const date = new Date(then);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return now - then < DAY ? clock : `${isoDate(then)} ${clock}`;
}

function isoDate(then: number): string {
  const date = new Date(then);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
