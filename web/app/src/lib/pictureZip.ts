// The pictures of many frames as one archive, fetched a few at a time.
import type { FrameRow } from './frames';
import { imageQueue, type ImageQueue } from './imageQueue';
import { ZipWriter } from './zip';

export type PicturedFrame = Pick<FrameRow, 'frame' | 'picture' | 'updated'>;

export interface PictureZip {
  readonly archive: Blob;
  readonly done: number;
  /** Frames whose picture could not be had: it was replaced or removed meanwhile. */
  readonly failed: readonly number[];
}

/** Names of files that sort as their numbers do: `-0003.jpg`, `0012.jpg`. As many digits as the longest number, at least 4. */
export function pictureNames(frames: readonly PicturedFrame[]): string[] {
  const digits = Math.max(4, ...frames.map(({ frame }) => String(Math.abs(frame)).length));
  return frames.map(({ frame, picture }) => {
    const ending = /\.(\w{1,5})(?:$|[?#])/.exec(picture)?.[1] ?? 'jpg';
    return `${frame < 0 ? '-' : ''}${String(Math.abs(frame)).padStart(digits, '0')}.${ending}`;
  });
}

/**
 * Fetches the pictures and puts them into an archive, in order. Throws when none could be had, and when `signal` says
 * stop. `progress` is told how many were dealt with.
 */
export async function zipPictures(
  frames: readonly PicturedFrame[],
  signal: AbortSignal,
  progress: (dealtWith: number) => void,
  queue: ImageQueue = imageQueue,
): Promise<PictureZip> {
  const names = pictureNames(frames);
  const zip = new ZipWriter();
  const failed: number[] = [];
  // Those that came before their turn. The queue gives out turns in order, so that they are few.
  const early = new Map<number, Uint8Array<ArrayBuffer> | null>();
  let next = 0;
  const arrived = (place: number, data: Uint8Array<ArrayBuffer> | null): void => {
    early.set(place, data);
    for (let ready = early.get(next); ready !== undefined; ready = early.get(next)) {
      const frame = frames[next];
      const name = names[next];
      if (frame && name) {
        if (ready) zip.add(name, ready, new Date(frame.updated));
        else failed.push(frame.frame);
      }
      early.delete(next++);
    }
    progress(next);
  };
  await Promise.all(frames.map(async ({ picture }, place) => {
    const data = await fetchInTurn(picture, signal, queue);
    signal.throwIfAborted();
    arrived(place, data);
  }));
  if (zip.entries === 0) throw new Error('None of the pictures could be read.');
  return { archive: zip.finish(), done: zip.entries, failed };
}

/** The bytes of a picture; null when it cannot be had. Waits for its turn. */
function fetchInTurn(address: string, signal: AbortSignal, queue: ImageQueue): Promise<Uint8Array<ArrayBuffer> | null> {
  return new Promise((resolve) => {
    const release = queue.request(() => {
      // The first to hear of the stop gives its turn to one that has not heard of it yet.
      if (signal.aborted) return;
      fetch(address, { signal })
        .then(async (answer) => (answer.ok ? new Uint8Array(await answer.arrayBuffer()) : null))
        .catch(() => null)
        .then((data) => {
          release();
          resolve(data);
        });
    });
    signal.addEventListener('abort', () => {
      release();
      resolve(null);
    }, { once: true });
  });
}
