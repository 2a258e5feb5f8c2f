// Loads pictures a few at a time. A page of thumbnails must not take all connections from the requests that carry data,
// and what scrolled out of sight before its turn is not loaded at all.

export const IMAGES_AT_ONCE = 12;

interface Waiting {
  start(): void;
}

export class ImageQueue {
  private readonly waiting = new Set<Waiting>();
  private running = 0;

  constructor(private readonly atOnce = IMAGES_AT_ONCE) {
  }

  /**
   * Calls `start` when there is room, and counts it as running until the returned function is called. Calling that before
   * the start withdraws the request.
   */
  request(start: () => void): () => void {
    let state: 'waiting' | 'running' | 'done' = 'waiting';
    const entry: Waiting = {
      start: () => {
        state = 'running';
        this.running++;
        start();
      },
    };
    this.waiting.add(entry);
    this.pump();
    return () => {
      if (state === 'waiting') this.waiting.delete(entry);
      if (state === 'running') this.running--;
      state = 'done';
      this.pump();
    };
  }

  private pump(): void {
    for (const entry of this.waiting) {
      if (this.running >= this.atOnce) return;
      this.waiting.delete(entry);
      entry.start();
    }
  }
}

/** The one queue of this page. */
export const imageQueue = new ImageQueue();
