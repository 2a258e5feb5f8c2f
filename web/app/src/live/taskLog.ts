// A task's log, read from its file by byte offset. A live event only says that there is more; what there is comes from
// the file. So nothing is missed or shown twice, whatever order events and answers arrive in, and a lost connection is
// made good by reading on from where the page stopped.
import { api, RequestError, take, toRequestError } from '@/api/client';

/** How much of a long log is read at first. */
export const TAIL_BYTES = 512 * 1024;
/** Least time between two reads: a chatty task must not become a storm of requests. */
const PACE = 150;
/** The event may overtake the write; then the file has nothing new yet, and is asked again some times. */
const LATE_TRIES = 3;
const LATE_DELAY = 400;

export interface LogSink {
  /** More of the log. */
  append(text: string): void;
  /** The log begins anew: at first, and when the task was requeued and its log rotated. */
  restart(): void;
  /** Where the file is, and how many bytes at its start were skipped; `undefined` while there is no log. */
  located(url: string | undefined, skipped: number): void;
  failed(error: RequestError | null): void;
}

type Chunk = { kind: 'bytes'; bytes: Uint8Array } | { kind: 'nothing' } | { kind: 'rotated' };

export class TaskLogReader {
  private url: string | undefined;
  private offset = 0;
  /** The byte before `offset`. It is read again each time: if it is another one, so is the file. */
  private lastByte: number | undefined;
  private skipFirstLine = false;
  private decoder = new TextDecoder();
  private running = false;
  private again = false;
  private stopped = false;

  constructor(
    private readonly taskId: string,
    private readonly sink: LogSink,
    private readonly wait: (ms: number) => Promise<void> = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  ) {}

  stop(): void {
    this.stopped = true;
  }

  /** Reads what is new. Call it once subscribed, after each event, and after a reconnection. */
  async catchUp(expectMore: boolean): Promise<void> {
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    let tries = expectMore ? LATE_TRIES : 0;
    do {
      this.again = false;
      const grew = await this.readOnce();
      if (this.stopped) break;
      if (!grew && !this.again && tries > 0) {
        tries--;
        await this.wait(LATE_DELAY);
        this.again = true;
      } else if (this.again) {
        await this.wait(PACE);
      }
    } while (this.again && !this.stopped);
    this.running = false;
  }

  private async readOnce(): Promise<boolean> {
    try {
      const chunk = await this.readChunk();
      if (this.stopped) return false;
      this.sink.failed(null);
      if (chunk.kind === 'rotated') {
        this.forget();
        this.again = true;
        return true;
      }
      if (chunk.kind === 'nothing') return false;
      this.take(chunk.bytes);
      return chunk.bytes.length > 0;
    } catch (cause) {
      if (!this.stopped) this.sink.failed(toRequestError(cause));
      return false;
    }
  }

  private async readChunk(): Promise<Chunk> {
    if (this.url === undefined && !(await this.locate())) return { kind: 'nothing' };
    // One byte that is already known: a range that begins at the end would be refused as an error.
    const from = this.lastByte === undefined ? this.offset : this.offset - 1;
    const headers: Record<string, string> = from > 0 ? { Range: `bytes=${from}-` } : {};
    const response = await fetch(this.url ?? '', { headers, cache: 'no-store' });
    switch (response.status) {
      case 206:
        return this.beyondKnown(new Uint8Array(await response.arrayBuffer()));
      case 200:
        return this.beyondKnown(new Uint8Array(await response.arrayBuffer()).subarray(from));
      case 404:
      case 416:
        return this.offset > 0 ? { kind: 'rotated' } : { kind: 'nothing' };
      default:
        throw new RequestError(`The log could not be read (status ${response.status}).`, response.status);
    }
  }

  /** What follows the byte that is known. */
  private beyondKnown(bytes: Uint8Array): Chunk {
    if (this.lastByte === undefined) return { kind: 'bytes', bytes };
    return bytes[0] === this.lastByte ? { kind: 'bytes', bytes: bytes.subarray(1) } : { kind: 'rotated' };
  }

  private async locate(): Promise<boolean> {
    const params = { path: { task_id: this.taskId } };
    const info = await take(api.GET('/api/v3/tasks/{task_id}/log', { params }));
    if (this.stopped) return false;
    this.url = info?.url;
    this.offset = Math.max(0, (info?.size ?? 0) - TAIL_BYTES);
    this.skipFirstLine = this.offset > 0;
    this.sink.restart();
    this.sink.located(this.url, this.offset);
    return this.url !== undefined;
  }

  private take(bytes: Uint8Array): void {
    this.offset += bytes.length;
    this.lastByte = bytes.at(-1) ?? this.lastByte;
    let from = 0;
    if (this.skipFirstLine && bytes.length > 0) {
      // The cut is anywhere in a line, or even in a character.
      from = bytes.indexOf(10) + 1;
      this.skipFirstLine = false;
    }
    this.sink.append(this.decoder.decode(bytes.subarray(from), { stream: true }));
  }

  private forget(): void {
    this.url = undefined;
    this.offset = 0;
    this.lastByte = undefined;
    this.decoder = new TextDecoder();
  }
}
