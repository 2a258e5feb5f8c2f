// The pictures of a flip-book, loaded ahead of the playhead, and forgotten again when they are far behind it.
import { shallowRef } from 'vue';
import { imageQueue, type ImageQueue } from '@/lib/imageQueue';

/** About 600 large thumbnails are 25 MB of files; decoded ones are dropped by the browser as it needs. */
const MOST_KEPT = 600;

interface Kept {
  readonly image: HTMLImageElement;
  ready: boolean;
  readonly release: () => void;
}

export class PictureCache {
  /** Raised whenever a picture has arrived. */
  readonly arrived = shallowRef(0);
  private readonly kept = new Map<string, Kept>();

  constructor(private readonly queue: ImageQueue = imageQueue) {
  }

  /** The picture at an address, if it is there. */
  get(address: string): HTMLImageElement | undefined {
    const found = this.kept.get(address);
    return found?.ready ? found.image : undefined;
  }

  /** Loads these, the most urgent first, and gives up those that wait for their turn and are not wanted any more. */
  want(addresses: readonly string[]): void {
    const wanted = new Set(addresses);
    for (const [address, { image, ready, release }] of this.kept) {
      if (ready || wanted.has(address)) continue;
      image.removeAttribute('src');
      release();
      this.kept.delete(address);
    }
    for (const address of wanted) {
      const known = this.kept.get(address);
      // Asked for again: the last one to be forgotten.
      if (known) this.kept.delete(address);
      this.kept.set(address, known ?? this.load(address));
    }
    for (const address of this.kept.keys()) {
      if (this.kept.size <= Math.max(MOST_KEPT, wanted.size)) break;
      this.kept.delete(address);
    }
  }

  clear(): void {
    for (const { image, release } of this.kept.values()) {
      image.removeAttribute('src');
      release();
    }
    this.kept.clear();
  }

  private load(address: string): Kept {
    const image = new Image();
    const release = this.queue.request(() => (image.src = address));
    const entry: Kept = { image, ready: false, release };
    image.onload = () => {
      entry.ready = true;
      release();
      this.arrived.value++;
    };
    image.onerror = release;
    return entry;
  }
}
