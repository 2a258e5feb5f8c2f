// A Socket.IO client without a network, for tests of everything that listens.
import type { Subscription } from '@/api/types';
import type { SocketLike } from './feed';

type Handler = (...args: unknown[]) => void;

export class FakeSocket implements SocketLike {
  connected = false;
  active = true;
  connects = 0;
  /** Every subscription message in words: "subscribe job <uuid>". */
  readonly sent: string[] = [];

  private readonly handlers = new Map<string, Set<Handler>>();
  private unconfirmed: ((answer: string) => void)[] = [];

  connect(): void {
    this.connects++;
  }

  on(event: string, handler: Handler): void {
    const all = this.handlers.get(event) ?? new Set();
    this.handlers.set(event, all.add(handler));
  }

  off(event: string, handler: Handler): void {
    this.handlers.get(event)?.delete(handler);
  }

  emit(_event: string, payload: Subscription, acknowledge: (answer: string) => void): void {
    this.sent.push([payload.op, payload.type, payload.uuid].filter(Boolean).join(' '));
    this.unconfirmed.push(acknowledge);
  }

  open(): void {
    this.connected = true;
    this.receive('connect');
  }

  /** Loses the connection; `byNetwork` decides whether the client would come back by itself. */
  close(byNetwork: boolean): void {
    this.connected = false;
    this.active = byNetwork;
    this.receive('disconnect');
  }

  /** Acknowledges everything sent so far. */
  confirm(answer = 'ok'): void {
    const waiting = this.unconfirmed;
    this.unconfirmed = [];
    for (const acknowledge of waiting) acknowledge(answer);
  }

  receive(event: string, payload?: unknown): void {
    for (const handler of [...(this.handlers.get(event) ?? [])]) (handler as (payload: unknown) => void)(payload);
  }
}
