// The lines of a growing log, in chunks: a chunk that is full never changes again, so that it is drawn once.
import { shallowRef } from 'vue';
import { classifyLine, type LogLevel } from './logLines';

export interface LogLine {
  readonly text: string;
  readonly level: LogLevel;
}

export interface LogChunk {
  readonly id: number;
  readonly lines: LogLine[];
  rev: number;
}

export const CHUNK_LINES = 200;
export const MOST_LINES = 10_000;
/** A line longer than this is cut when shown; the file has it whole. */
export const LONGEST_LINE = 4000;

export class LineBuffer {
  /** Raised by every change. */
  readonly changes = shallowRef(0);
  /** Lines that were dropped from the front to stay within {@link MOST_LINES}. */
  dropped = 0;

  private chunks: LogChunk[] = [];
  private count = 0;
  private nextChunk = 0;
  private openLine = '';

  get size(): number {
    return this.count;
  }

  /** All chunks, oldest first. Read {@link changes} first where it must be reactive. */
  all(): readonly LogChunk[] {
    return this.chunks;
  }

  /** The last line if it has not ended yet. */
  unfinished(): LogLine | undefined {
    return this.openLine === '' ? undefined : lineOf(this.openLine);
  }

  append(text: string): void {
    if (text === '') return;
    const lines = (this.openLine + text).split('\n');
    this.openLine = lines.pop() ?? '';
    for (const line of lines) this.push(lineOf(line));
    while (this.count > MOST_LINES) {
      const oldest = this.chunks.shift();
      this.count -= oldest?.lines.length ?? 0;
      this.dropped += oldest?.lines.length ?? 0;
    }
    this.changes.value++;
  }

  clear(): void {
    this.chunks = [];
    this.count = 0;
    this.dropped = 0;
    this.openLine = '';
    this.changes.value++;
  }

  /** Everything that is shown, as one text. */
  text(): string {
    const lines = this.chunks.flatMap((chunk) => chunk.lines.map((line) => line.text));
    if (this.openLine !== '') lines.push(this.openLine);
    return lines.join('\n');
  }

  private push(line: LogLine): void {
    let last = this.chunks.at(-1);
    if (!last || last.lines.length >= CHUNK_LINES) {
      last = { id: this.nextChunk++, lines: [], rev: 0 };
      this.chunks.push(last);
    }
    last.lines.push(line);
    last.rev++;
    this.count++;
  }
}

function lineOf(raw: string): LogLine {
  const text = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
  const shown = text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)} … (${text.length} characters)` : text;
  return { text: shown, level: classifyLine(shown) };
}
