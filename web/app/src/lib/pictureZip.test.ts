import { afterEach, describe, expect, it, vi } from 'vitest';
import { ImageQueue } from './imageQueue';
import { pictureNames, zipPictures } from './pictureZip';

afterEach(() => vi.unstubAllGlobals());
const frame = (number: number, picture = `/p/${number}.jpg`) => ({ frame: number, picture, updated: Date.UTC(2026, 0, 1) });
const frames = (count: number) => Array.from({ length: count }, (_, place) => frame(place + 1));

describe('names', () => {
  it('sort as the numbers do, and keep the kind of the picture', () => {
    expect(pictureNames([frame(-3), frame(12, '/p/a.webp?x=1'), frame(7, '/p/none')])).toEqual(['-0003.jpg', '0012.webp', '0007.jpg']);
  });
  it('have as many digits as the longest', () => expect(pictureNames([frame(1), frame(123456)])).toEqual(['000001.jpg', '123456.jpg']));
});

describe('the archive', () => {
  it('has the pictures in order, never asks for more at once than the queue allows, and says what was missing', async () => {
    let [running, most] = [0, 0];
    vi.stubGlobal('fetch', async (address: string) => {
      most = Math.max(most, ++running);
      // The later ones answer first.
      await new Promise((done) => setTimeout(done, address === '/p/1.jpg' ? 20 : 1));
      running--;
      return address === '/p/5.jpg' ? new Response('gone', { status: 404 }) : new Response(`picture ${address}`);
    });
    const seen: number[] = [];
    const zip = await zipPictures(frames(20), new AbortController().signal, (done) => seen.push(done), new ImageQueue(3));
    expect(most).toBe(3);
    expect(zip.done).toBe(19);
    expect(zip.failed).toEqual([5]);
    expect(seen.at(-1)).toBe(20);
    const text = await zip.archive.text();
    expect(text.indexOf('picture /p/1.jpg')).toBeLessThan(text.indexOf('picture /p/2.jpg'));
  });

  it('stops when it is told to, and starts no more requests', async () => {
    const stopper = new AbortController();
    const fetched = vi.fn(async () => {
      stopper.abort();
      return new Response('x');
    });
    vi.stubGlobal('fetch', fetched);
    await expect(zipPictures(frames(50), stopper.signal, () => {}, new ImageQueue(2))).rejects.toThrow();
    expect(fetched.mock.calls.length).toBeLessThanOrEqual(2);
  });

  it('without any picture is an error', async () => {
    vi.stubGlobal('fetch', async () => new Response('', { status: 404 }));
    await expect(zipPictures(frames(2), new AbortController().signal, () => {}, new ImageQueue(2))).rejects.toThrow('None of the pictures');
  });
});
