import { afterEach, describe, expect, it, vi } from 'vitest';
import { RequestError, api, errorMessage, pending, take, takeBody, toRequestError } from './client';

function answerWith(status: number, body?: string): void {
  const type = { 'content-type': 'application/json' };
  vi.stubGlobal('fetch', async () => new Response(body ?? null, { status, headers: body ? type : {} }));
}

afterEach(() => vi.unstubAllGlobals());

describe('errorMessage', () => {
  it.each([
    [400, { code: 400, message: 'name: must not be empty' }, 'name: must not be empty'],
    [404, { code: 404, message: ' ' }, 'The manager does not know this object. It may have been deleted.'],
    [422, undefined, 'The manager refused this: it is not possible in the present status.'],
    [500, '<html>', 'The manager met an internal error (status 500).'],
    [501, null, 'This version of the manager cannot do that yet.'],
    [418, {}, 'The manager refused the request (status 418).'],
  ])('status %i, body %j', (status, body, expected) => {
    expect(errorMessage(status, body)).toBe(expected);
  });
});

it('counts the requests that have no answer yet, also when there never is one', async () => {
  let answer: (response: Response) => void = () => {};
  vi.stubGlobal('fetch', () => new Promise<Response>((resolve) => (answer = resolve)));
  const [one, two] = [api.GET('/api/v3/status'), api.GET('/api/v3/version')];
  await vi.waitFor(() => expect(pending.value).toBe(2));
  answer(new Response('{}', { headers: { 'content-type': 'application/json' } }));
  await two;
  expect(pending.value).toBe(1);
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('network')));
  await expect(take(api.GET('/api/v3/status'))).rejects.toThrow('cannot be reached');
  expect(pending.value).toBe(1);
  void one;
});

describe('take', () => {
  it('gives the body of a success', async () => {
    answerWith(200, '{"status":"idle"}');
    expect(await takeBody(api.GET('/api/v3/status'))).toEqual({ status: 'idle' });
  });

  it('gives undefined for an answer without body', async () => {
    answerWith(204);
    const call = api.POST('/api/v3/jobs/{job_id}/setstatus', {
      params: { path: { job_id: 'j' } },
      body: { status: 'requeueing', reason: 'test' },
    });
    expect(await take(call)).toBeUndefined();
  });

  it('throws the words of the manager', async () => {
    answerWith(404, '{"code":404,"message":"no such job"}');
    const call = take(api.GET('/api/v3/jobs/{job_id}', { params: { path: { job_id: 'j' } } }));
    await expect(call).rejects.toMatchObject({ message: 'no such job', status: 404, unreachable: false });
  });

  it('says so when the manager is away', async () => {
    vi.stubGlobal('fetch', async () => {
      throw new TypeError('Failed to fetch');
    });
    await expect(take(api.GET('/api/v3/status'))).rejects.toMatchObject({ unreachable: true });
  });

  it('does not take HTML for an answer', async () => {
    answerWith(200, '<!doctype html>');
    await expect(take(api.GET('/api/v3/status'))).rejects.toMatchObject({ status: 502 });
  });
});

describe('toRequestError', () => {
  it('keeps a RequestError as it is', () => {
    const error = new RequestError('x', 400);
    expect(toRequestError(error)).toBe(error);
  });
});
