import { afterEach, describe, expect, it, vi } from 'vitest';
import { LineBuffer } from './lineBuffer';
import { LogScanner, MOST_HITS, searchFile, shownHits } from './logSearch';

afterEach(() => vi.unstubAllGlobals());

describe('shownHits', () => {
  it('finds lines in either case, across chunks', () => {
    const buffer = new LineBuffer();
    buffer.append(Array.from({ length: 450 }, (_, n) => (n % 150 === 0 ? 'An ERROR here' : 'all well')).join('\n') + '\n');
    expect(shownHits(buffer.all(), 'error')).toEqual([
      { chunk: 0, line: 0 },
      { chunk: 0, line: 150 },
      { chunk: 1, line: 100 },
    ]);
    expect(shownHits(buffer.all(), '')).toEqual([]);
    expect(shownHits(buffer.all(), 'nothing of it')).toEqual([]);
  });
});

describe('LogScanner', () => {
  it('counts lines, also when they come in pieces', () => {
    const scanner = new LogScanner('Fra:2');
    for (const piece of ['fra:1\nfr', 'a:2\r\nfra:3', '\nFRA:2', '0']) scanner.take(piece);
    expect(scanner.finish()).toEqual({
      hits: [
        { number: 2, text: 'fra:2' },
        { number: 4, text: 'FRA:20' },
      ],
      count: 2,
      lines: 4,
    });
  });

  it('counts on when there are too many to list', () => {
    const scanner = new LogScanner('x');
    scanner.take('x\n'.repeat(MOST_HITS + 7));
    expect(scanner.finish()).toMatchObject({ count: MOST_HITS + 7, hits: { length: MOST_HITS } });
  });

  it('a line without an end does not grow for ever', () => {
    const scanner = new LogScanner('needle');
    for (let n = 0; n < 40; n++) scanner.take('-'.repeat(1 << 16));
    scanner.take(' needle ');
    expect(scanner.finish().count).toBe(1);
  });
});

describe('searchFile', () => {
  it('searches 100 MB, and the page has its turn meanwhile', async () => {
    // As large as what a browser hands over when the page was busy.
    const lines = 200_000;
    const block = new TextEncoder().encode('Fra:17 Mem:340.11M | Rendering 12 / 64 samples\n'.repeat(lines));
    const blocks = Math.ceil((100 * 1024 * 1024) / block.length);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < blocks) controller.enqueue(sent === blocks - 1 ? new TextEncoder().encode('Error: out of memory\n') : block);
        else controller.close();
      },
    });
    vi.stubGlobal('fetch', async () => new Response(body));
    let longest = 0;
    let before = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - before);
      before = now;
    });
    const found = await searchFile('/log', 'out of MEMORY', new AbortController().signal);
    clearInterval(timer);
    expect(found.hits).toEqual([{ number: (blocks - 2) * lines + 1, text: 'Error: out of memory' }]);
    expect(longest, 'milliseconds without a turn').toBeLessThan(200);
  }, 60_000);

  it('says when the file cannot be read', async () => {
    vi.stubGlobal('fetch', async () => new Response('', { status: 404 }));
    await expect(searchFile('/log', 'x', new AbortController().signal)).rejects.toThrow('status 404');
  });
});
