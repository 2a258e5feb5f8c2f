import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TAIL_BYTES, TaskLogReader } from './taskLog';

const URL_OF_LOG = '/job-files/job-1234/j/task-t.txt';
let file: string | undefined;
let ranges: string[];
let supportsRanges: boolean;

function reply(request: Request | string, init?: RequestInit): Response {
  const url = typeof request === 'string' ? request : request.url;
  const bytes = new TextEncoder().encode(file ?? '');
  if (url.endsWith('/log')) {
    if (file === undefined) return new Response(null, { status: 204 });
    const info = { task_id: 't', job_id: 'j', url: URL_OF_LOG, size: bytes.length };
    return Response.json(info);
  }
  const range = (init?.headers as Record<string, string> | undefined)?.Range;
  ranges.push(range ?? 'all');
  const from = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
  if (!range || !supportsRanges) return new Response(bytes);
  if (from >= bytes.length) {
    return new Response(null, { status: 416, headers: { 'content-range': `bytes */${bytes.length}` } });
  }
  return new Response(bytes.slice(from), { status: 206 });
}

interface Seen {
  text: string;
  restarts: number;
  url: string | undefined;
  skipped: number;
  error: string | undefined;
}

function readerOf(onWait: () => void = () => {}): { reader: TaskLogReader; seen: Seen } {
  const seen: Seen = { text: '', restarts: 0, url: undefined, skipped: 0, error: undefined };
  const sink = {
    append: (text: string) => void (seen.text += text),
    restart: () => {
      seen.text = '';
      seen.restarts++;
    },
    located: (url: string | undefined, skipped: number) => {
      seen.url = url;
      seen.skipped = skipped;
    },
    failed: (error: Error | null) => void (seen.error = error?.message),
  };
  return { reader: new TaskLogReader('t', sink, async () => onWait()), seen };
}

beforeEach(() => {
  [file, ranges, supportsRanges] = [undefined, [], true];
  vi.stubGlobal('fetch', async (request: Request | string, init?: RequestInit) => reply(request, init));
});
afterEach(() => vi.unstubAllGlobals());

describe('TaskLogReader', () => {
  it('reads what is there, then only what is new', async () => {
    const { reader, seen } = readerOf();
    file = 'one\n';
    await reader.catchUp(false);
    file += 'two ü\n';
    await reader.catchUp(true);
    await reader.catchUp(false);
    expect(seen.text).toBe('one\ntwo ü\n');
    expect(ranges).toEqual(['all', 'bytes=3-', 'bytes=10-']);
  });

  it('starts as soon as there is a log', async () => {
    const { reader, seen } = readerOf();
    await reader.catchUp(false);
    expect(seen.url).toBeUndefined();
    file = 'first\n';
    await reader.catchUp(true);
    expect(seen).toMatchObject({ text: 'first\n', url: URL_OF_LOG });
  });

  it('asks again when the event came before the write', async () => {
    file = 'one\n';
    let waits = 0;
    const { reader, seen } = readerOf(() => {
      if (++waits === 2) file += 'late\n';
    });
    await reader.catchUp(false);
    await reader.catchUp(true);
    expect(seen.text).toBe('one\nlate\n');
  });

  it('many events at once become one more read', async () => {
    file = 'one\n';
    const { reader, seen } = readerOf();
    const first = reader.catchUp(false);
    for (let n = 0; n < 20; n++) void reader.catchUp(true);
    await first;
    expect(seen.text).toBe('one\n');
    expect(ranges).toHaveLength(2);
  });

  it('shows a character only when all its bytes have come', async () => {
    const whole = new TextEncoder().encode('ü\n');
    let sent = 0;
    vi.stubGlobal('fetch', async (request: Request | string, init?: RequestInit) => {
      if (typeof request !== 'string') return reply(request, init);
      return new Response(whole.slice(Math.max(0, sent - 1), ++sent), { status: 206 });
    });
    file = 'x';
    const { reader, seen } = readerOf();
    for (let n = 0; n < 3; n++) await reader.catchUp(false);
    expect(seen.text).toBe('ü\n');
  });

  it('begins a long log at a whole line near its end', async () => {
    file = `${'é'.repeat(TAIL_BYTES)}\nlast line\n`;
    const { reader, seen } = readerOf();
    await reader.catchUp(false);
    expect(seen.text).toBe('last line\n');
    expect(seen.skipped).toBeGreaterThan(0);
  });

  it('begins anew when the log was rotated', async () => {
    file = 'a long first attempt\n';
    const { reader, seen } = readerOf();
    await reader.catchUp(false);
    file = 'second\n';
    await reader.catchUp(true);
    expect(seen).toMatchObject({ text: 'second\n', restarts: 2 });
  });

  it('notices a rotation also when the new log is longer already', async () => {
    file = 'first\n';
    const { reader, seen } = readerOf();
    await reader.catchUp(false);
    file = 'the second attempt\n';
    await reader.catchUp(true);
    expect(seen.text).toBe('the second attempt\n');
  });

  it('works with a server that knows no ranges', async () => {
    supportsRanges = false;
    file = 'one\n';
    const { reader, seen } = readerOf();
    await reader.catchUp(false);
    file += 'two\n';
    await reader.catchUp(false);
    expect(seen.text).toBe('one\ntwo\n');
  });

  it('says why the log could not be read, and recovers', async () => {
    file = 'one\n';
    const { reader, seen } = readerOf();
    vi.stubGlobal('fetch', async () => {
      throw new TypeError('Failed to fetch');
    });
    await reader.catchUp(false);
    expect(seen.error).toBe('The manager cannot be reached.');
    vi.stubGlobal('fetch', async (request: Request | string, init?: RequestInit) => reply(request, init));
    await reader.catchUp(false);
    expect(seen).toMatchObject({ text: 'one\n', error: undefined });
  });
});
