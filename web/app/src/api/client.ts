// The typed HTTP client, and the only place where a failed call becomes a message for a person.
import createClient from 'openapi-fetch';
import { shallowRef } from 'vue';
import type { paths } from './schema.gen';

/** A request that did not succeed, in words that can be shown as they are. */
export class RequestError extends Error {
  constructor(
    message: string,
    /** HTTP status, or 0 when the manager could not be reached at all. */
    readonly status: number,
  ) {
    super(message);
    this.name = 'RequestError';
  }

  get unreachable(): boolean {
    return this.status === 0;
  }
}

/** How many requests have no answer yet. */
export const pending = shallowRef(0);

async function counted(request: Request): Promise<Response> {
  pending.value++;
  try {
    // Looked up at call time, so that a test can put its own fetch in place.
    return await globalThis.fetch(request);
  } finally {
    pending.value--;
  }
}

export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? '',
  fetch: counted,
});

/**
 * Uses up what the head of the page has asked for beforehand. The browser keeps these answers for whoever asks the same
 * for the first time: refused ones would still be given to somebody who has signed in meanwhile.
 */
export function useUpPreloads(): void {
  for (const link of document.querySelectorAll<HTMLLinkElement>('link[rel="preload"][as="fetch"]')) {
    link.remove();
    globalThis.fetch(link.href).catch(() => {});
  }
}

const refused = new Set<(status: 401 | 403) => void>();

/** Calls `handler` whenever the manager wants to be shown a token first (401), or one of another role (403). */
export function onRefused(handler: (status: 401 | 403) => void): void {
  refused.add(handler);
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * Waits for a call and gives its body, or `undefined` for an answer without one (204).
 * Throws a {@link RequestError} for everything that is not a success.
 */
export async function take<T>(call: Promise<Answer<T>>): Promise<T | undefined> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (cause) {
    throw toRequestError(cause);
  }
  const { status } = answer.response;
  if (status === 401 || status === 403) for (const handler of refused) handler(status);
  if (!answer.response.ok) {
    throw new RequestError(errorMessage(status, answer.error), status);
  }
  return answer.data;
}

/** Like {@link take}, for calls whose success always has a body. */
export async function takeBody<T>(call: Promise<Answer<T>>): Promise<T> {
  const body = await take(call);
  if (body === undefined) throw new RequestError('The manager sent an empty answer.', 502);
  return body;
}

/** Any thrown value as a {@link RequestError}. */
export function toRequestError(cause: unknown): RequestError {
  if (cause instanceof RequestError) return cause;
  if (cause instanceof SyntaxError) {
    return new RequestError('The manager sent an answer that this page cannot read.', 502);
  }
  return new RequestError('The manager cannot be reached.', 0);
}

/** The readable message in an error body: the manager's own words when it sent an `Error` object. */
export function errorMessage(status: number, body: unknown): string {
  if (typeof body === 'object' && body !== null && 'message' in body) {
    const message = (body as { message: unknown }).message;
    if (typeof message === 'string' && message.trim() !== '') return message;
  }
  switch (status) {
    case 401:
    case 403:
      return 'The manager refused this: not allowed.';
    case 404:
      return 'The manager does not know this object. It may have been deleted.';
    case 422:
      return 'The manager refused this: it is not possible in the present status.';
    case 501:
      return 'This version of the manager cannot do that yet.';
    default:
      return status >= 500
        ? `The manager met an internal error (status ${status}).`
        : `The manager refused the request (status ${status}).`;
  }
}
