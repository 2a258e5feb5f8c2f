// Answers for `fetch` in tests of the stores, and a record of what was asked.
import { vi } from 'vitest';

type Reply = { status?: number; body?: unknown } | (() => Promise<{ status?: number; body?: unknown }>);

export interface FakeManager {
  /** Every request as "METHOD /path". */
  readonly asked: string[];
  /** The query of every request, with its question mark; empty without one. */
  readonly queries: string[];
  /** Bodies of the requests that had one, parsed. */
  readonly bodies: unknown[];
  /** Sets the answer to "METHOD /path". Without one, the answer is 404. */
  answer(request: string, reply: Reply): void;
}

export function fakeManager(): FakeManager {
  const replies = new Map<string, Reply>();
  const manager: FakeManager = {
    asked: [],
    queries: [],
    bodies: [],
    answer: (request, reply) => void replies.set(request, reply),
  };
  vi.stubGlobal('fetch', async (request: Request) => {
    const { pathname, search } = new URL(request.url);
    const line = `${request.method} ${pathname}`;
    manager.asked.push(line);
    manager.queries.push(search);
    if (request.body) manager.bodies.push(await request.json());
    const reply = replies.get(line) ?? { status: 404, body: { code: 404, message: 'no such thing' } };
    const { status, body } = typeof reply === 'function' ? await reply() : reply;
    const text = body === undefined ? null : JSON.stringify(body);
    return new Response(text, { status: status ?? (text ? 200 : 204), headers: { 'content-type': 'application/json' } });
  });
  return manager;
}
