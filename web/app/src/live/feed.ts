// The one live connection of the whole page. Who wants events subscribes for as long as it needs them; after every
// (re)connection all wanted subscriptions are made again, and whoever holds one reads its data again, because what
// happened in between is not repeated.
import { shallowRef } from 'vue';
import type {
  FarmStatus,
  FrameUpdate,
  JobUpdate,
  LastRenderedUpdate,
  LifeCycle,
  Subscription,
  TagUpdate,
  TaskLogUpdate,
  TaskUpdate,
  Version,
  WorkerLogUpdate,
  WorkerMachines,
  WorkerUpdate,
} from '@/api/types';

export interface FeedEvents {
  '/jobs': JobUpdate;
  '/task': TaskUpdate;
  '/tasklog': TaskLogUpdate;
  '/frames': FrameUpdate;
  '/workers': WorkerUpdate;
  '/workertags': TagUpdate;
  '/workerstats': WorkerMachines;
  '/workerlog': WorkerLogUpdate;
  '/last-rendered': LastRenderedUpdate;
  '/status': { status: FarmStatus; reason?: string };
  '/lifecycle': LifeCycle;
}

/** What this module needs of a Socket.IO client; the tests bring their own. */
export interface SocketLike {
  readonly connected: boolean;
  /** Whether the client reconnects by itself. */
  readonly active: boolean;
  connect(): unknown;
  on(event: string, handler: (...args: unknown[]) => void): unknown;
  off(event: string, handler: (...args: unknown[]) => void): unknown;
  emit(event: string, payload: Subscription, acknowledge: (answer: string) => void): unknown;
}

export type FeedState = 'connecting' | 'connected' | 'lost';
export type Topic = Subscription['type'];

interface Wanted {
  readonly topic: Topic;
  readonly uuid: string | undefined;
  readonly readers: Set<() => void>;
  subscribed: boolean;
}

/** Raised each time the connection has come back: what was read before may be old. */
export const reconnections = shallowRef(0);

/** Without an acknowledgement in this time, a page reads its data anyway: better old than none. */
const PATIENCE = 1000;
const FIRST_RETRY = 250;
const LONGEST_RETRY = 30_000;

/** Delay before the next attempt: doubling up to 30 s, and a random share of it, so that pages do not come in step. */
export function retryDelay(attempt: number, random: number): number {
  const full = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** attempt);
  return Math.round(full * (0.5 + random / 2));
}

export class LiveFeed {
  readonly state = shallowRef<FeedState>('connecting');

  private readonly wanted = new Map<string, Wanted>();
  private readonly reconnected = new Set<() => void>();
  private everConnected = false;
  private attempt = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly socket: SocketLike) {
    socket.on('connect', () => this.onConnect());
    socket.on('disconnect', () => this.onLost());
    socket.on('connect_error', () => this.onLost());
  }

  /** Calls `handler` for each event of a kind, until the returned function is called. */
  on<E extends keyof FeedEvents>(event: E, handler: (payload: FeedEvents[E]) => void): () => void {
    this.socket.on(event, handler as (...args: unknown[]) => void);
    return () => this.socket.off(event, handler as (...args: unknown[]) => void);
  }

  /** Calls `handler` each time the connection comes back after it was lost. */
  onReconnect(handler: () => void): () => void {
    this.reconnected.add(handler);
    return () => this.reconnected.delete(handler);
  }

  /**
   * Subscribes until the returned function is called. `read` runs once the manager has confirmed, and again after each
   * reconnection: reading then misses nothing, since the events already flow. Several holders share one subscription.
   */
  subscribe(topic: Topic, uuid: string | undefined, read: () => void): () => void {
    const key = `${topic} ${uuid ?? ''}`;
    const existing = this.wanted.get(key);
    const entry = existing ?? { topic, uuid, readers: new Set<() => void>(), subscribed: false };
    let waiting = true;
    const reader = (): void => {
      waiting = false;
      read();
    };
    entry.readers.add(reader);
    this.wanted.set(key, entry);
    if (entry.subscribed) queueMicrotask(() => entry.readers.has(reader) && waiting && reader());
    else if (!existing && this.socket.connected) this.request(entry);
    const impatience = setTimeout(() => waiting && reader(), PATIENCE);
    return () => {
      clearTimeout(impatience);
      entry.readers.delete(reader);
      if (entry.readers.size > 0 || this.wanted.get(key) !== entry) return;
      this.wanted.delete(key);
      if (this.socket.connected) this.send('unsubscribe', entry, () => {});
    };
  }

  private onConnect(): void {
    clearTimeout(this.retry);
    this.attempt = 0;
    this.state.value = 'connected';
    for (const entry of this.wanted.values()) this.request(entry);
    if (this.everConnected) {
      reconnections.value++;
      for (const handler of this.reconnected) handler();
    }
    this.everConnected = true;
  }

  private onLost(): void {
    this.state.value = 'lost';
    for (const entry of this.wanted.values()) entry.subscribed = false;
    // After a clean close by the server the client stays away; a manager that restarts closes cleanly.
    if (this.socket.active) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.socket.connect(), retryDelay(this.attempt++, Math.random()));
  }

  private request(entry: Wanted): void {
    this.send('subscribe', entry, (answer) => {
      if (answer !== 'ok') console.warn(`live updates of ${entry.topic} refused: ${answer}`);
      entry.subscribed = answer === 'ok';
      for (const reader of [...entry.readers]) reader();
    });
  }

  private send(op: Subscription['op'], entry: Wanted, acknowledge: (answer: string) => void): void {
    const payload: Subscription = { op, type: entry.topic };
    if (entry.uuid !== undefined) payload.uuid = entry.uuid;
    this.socket.emit('/subscription', payload, acknowledge);
  }
}

/** Same name and version: the manager that came back is the one this page was made for. */
export function sameManager(before: Version, after: Version): boolean {
  return before.name === after.name && before.version === after.version && before.git === after.git;
}
