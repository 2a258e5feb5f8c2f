// Finding text in a log: in the lines that are shown, and in the whole file however long it is.
import type { LogChunk } from './lineBuffer';

/** A line among those that are shown. */
export interface LineHit {
  readonly chunk: number;
  readonly line: number;
}

/** The shown lines that have the text in them, in upper or lower case, oldest first. */
export function shownHits(chunks: readonly LogChunk[], text: string): LineHit[] {
  const needle = text.toLowerCase();
  if (needle === '') return [];
  const hits: LineHit[] = [];
  for (const chunk of chunks) {
    chunk.lines.forEach((line, place) => {
      if (line.text.toLowerCase().includes(needle)) hits.push({ chunk: chunk.id, line: place });
    });
  }
  return hits;
}

/** A line of the file. */
export interface FileHit {
  /** From 1. */
  readonly number: number;
  readonly text: string;
}

export interface FileSearch {
  readonly hits: readonly FileHit[];
  /** How many lines have the text; more than there are hits when there are too many to list. */
  readonly count: number;
  readonly lines: number;
}

export const MOST_HITS = 500;
const LONGEST_HIT = 400;
/** A line that never ends is looked at in pieces of this many characters. */
const LONGEST_CARRY = 1 << 20;
/** So many bytes are looked at before the clock is. */
const PIECE = 1 << 17;
/** Work for at most so many milliseconds before the page gets its turn. */
const TURN = 10;

/** Searches a stream of text line by line. Holds neither the file nor the page. */
export class LogScanner {
  private readonly needle: string;
  private readonly hits: FileHit[] = [];
  private count = 0;
  private lines = 0;
  private carry = '';

  constructor(text: string) {
    this.needle = text.toLowerCase();
  }

  take(text: string): void {
    const block = this.carry + text;
    const end = block.lastIndexOf('\n');
    if (end < 0 && block.length < LONGEST_CARRY) {
      this.carry = block;
      return;
    }
    this.carry = end < 0 ? '' : block.slice(end + 1);
    this.look(end < 0 ? block : block.slice(0, end));
  }

  finish(): FileSearch {
    if (this.carry !== '') this.look(this.carry);
    this.carry = '';
    return { hits: this.hits, count: this.count, lines: this.lines };
  }

  private look(block: string): void {
    // Most blocks have no hit, and counting their lines is quicker than making them.
    if (!block.toLowerCase().includes(this.needle)) {
      let at = -1;
      do this.lines++;
      while ((at = block.indexOf('\n', at + 1)) >= 0);
      return;
    }
    for (const line of block.split('\n')) {
      this.lines++;
      if (!line.toLowerCase().includes(this.needle)) continue;
      this.count++;
      if (this.hits.length < MOST_HITS) this.hits.push({ number: this.lines, text: line.slice(0, LONGEST_HIT).trimEnd() });
    }
  }
}

/** Searches a whole file, and lets the page live meanwhile. Throws when the file cannot be read or `signal` says stop. */
export async function searchFile(url: string, text: string, signal: AbortSignal): Promise<FileSearch> {
  const response = await fetch(url, { signal, cache: 'no-store' });
  if (!response.ok || !response.body) throw new Error(`The log could not be read (status ${response.status}).`);
  const scanner = new LogScanner(text);
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let turn = performance.now();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    // What has come while the page had its turn comes as one, and may be many megabytes.
    for (let at = 0; at < value.length; at += PIECE) {
      scanner.take(decoder.decode(value.subarray(at, at + PIECE), { stream: true }));
      if (performance.now() - turn < TURN) continue;
      await new Promise((resolve) => setTimeout(resolve));
      signal.throwIfAborted();
      turn = performance.now();
    }
  }
  scanner.take(decoder.decode());
  return scanner.finish();
}
