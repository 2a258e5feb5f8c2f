// Lines that a worker or the manager logs about itself. Pure.
import type { LocationQuery, LocationQueryRaw } from 'vue-router';
import { matchesText } from './tableQuery';

export type OwnLogLevel = 'error' | 'warning' | 'plain';

/** A line of a program's own log: time, level, text. */
export interface OwnLogLine {
  readonly key: number;
  /** As the program's clock showed it, "14:05:31"; empty for a line that goes on with the one before. */
  readonly clock: string;
  readonly time: string;
  readonly level: OwnLogLevel;
  readonly text: string;
}

const LINE = /^(\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)\S*)\s+(ERROR|WARN|INFO|DEBUG|TRACE)\s(.*)$/s;

export function ownLogLine(line: string, key: number): OwnLogLine {
  const [, time, clock, word, text] = LINE.exec(line) ?? [];
  const level = word === 'ERROR' ? 'error' : word === 'WARN' ? 'warning' : 'plain';
  return { key, clock: clock ?? '', time: time ?? '', level, text: text ?? line };
}

/** Lines as they come, of which the first has this number. One without a time goes on with the one before, and has its level. */
export function ownLogLines(lines: readonly string[], first: number, before?: OwnLogLine): OwnLogLine[] {
  let level = before?.level ?? 'plain';
  return lines.map((text, place) => {
    const line = ownLogLine(text, first + place);
    if (line.clock === '') return { ...line, level };
    level = line.level;
    return line;
  });
}

/** Which lines are shown: those of a level or a worse one, with some text. */
export interface LogFilter {
  readonly least: OwnLogLevel;
  readonly text: string;
}

export const NO_LOG_FILTER: LogFilter = { least: 'plain', text: '' };
const LEVELS: readonly OwnLogLevel[] = ['plain', 'warning', 'error'];

export function isLevel(word: unknown): word is OwnLogLevel {
  return LEVELS.some((level) => level === word);
}

export function passes({ level, text }: OwnLogLine, filter: LogFilter): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(filter.least) && matchesText(text.toLowerCase(), filter.text);
}

export function readLogFilter({ level, q }: LocationQuery): LogFilter {
  return { least: isLevel(level) ? level : 'plain', text: typeof q === 'string' ? q : '' };
}

export function writeLogFilter({ least, text }: LogFilter): LocationQueryRaw {
  return { ...(least !== 'plain' && { level: least }), ...(text !== '' && { q: text }) };
}

/** A line as the program wrote it, near enough: for who copies it or keeps it in a file. */
export function asText({ time, level, text }: OwnLogLine): string {
  if (time === '') return text;
  return level === 'plain' ? `${time} ${text}` : `${time} ${level.toUpperCase()} ${text}`;
}
