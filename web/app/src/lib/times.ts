// Points in time and spans of time in words. All inputs and outputs are milliseconds since 1970 or plain milliseconds.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

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
  if (age < MINUTE) return `${Math.floor(age / SECOND)} s ago`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h ago`;
  if (age < DATE_AFTER) return `${Math.floor(age / DAY)} d ago`;
  return isoDate(then);
}

/** A span of time with its two largest units: "3 min 12 s". */
export function duration(span: number): string {
  if (!Number.isFinite(span) || span < 0) return '–';
  if (span < SECOND) return `${Math.round(span)} ms`;
  if (span < MINUTE) return `${(span / SECOND).toFixed(span < 10 * SECOND ? 1 : 0)} s`;
  if (span < HOUR) return twoUnits(span, MINUTE, 'min', SECOND, 's');
  if (span < DAY) return twoUnits(span, HOUR, 'h', MINUTE, 'min');
  return twoUnits(span, DAY, 'd', HOUR, 'h');
}

function twoUnits(span: number, big: number, bigName: string, small: number, smallName: string): string {
  const count = Math.floor(span / big);
  const rest = Math.floor((span % big) / small);
  return rest === 0 ? `${count} ${bigName}` : `${count} ${bigName} ${rest} ${smallName}`;
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
