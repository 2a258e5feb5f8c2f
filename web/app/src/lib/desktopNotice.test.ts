import { afterEach, describe, expect, it, vi } from 'vitest';
import { desktopState, isJobWatched, tellOnDesktop, wantDesktopNotices, watchJob } from './desktopNotice';

afterEach(() => void vi.unstubAllGlobals());

it.each([
  [undefined, true, 'impossible'],
  ['denied', true, 'refused'],
  ['granted', true, 'on'],
  ['granted', false, 'off'],
  ['default', true, 'off'],
] as const)('with permission %s and wanted %s they are %s', (permission, wanted, expected) => expect(desktopState(permission, wanted)).toBe(expected));

describe('a message', () => {
  const shown = vi.fn();
  class FakeNotification {
    static permission = 'default';
    static requestPermission = vi.fn(async () => (FakeNotification.permission = 'granted'));
    onclick = (): void => {};
    close = vi.fn();
    constructor(_title: string, { body }: { body: string }) {
      shown(body, this);
    }
  }

  it('comes only when it was asked for and nobody looks at the page, and leads to its subject', async () => {
    vi.stubGlobal('Notification', FakeNotification);
    vi.stubGlobal('isSecureContext', true);
    let hidden = true;
    vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden);
    const open = vi.fn();
    tellOnDesktop('too early', open);
    await wantDesktopNotices(true);
    hidden = false;
    tellOnDesktop('seen anyway', open);
    hidden = true;
    tellOnDesktop('Job "a" is complete.', open);
    expect(shown.mock.calls.map(([body]) => body)).toEqual(['Job "a" is complete.']);
    shown.mock.calls[0]?.[1].onclick();
    expect(open).toHaveBeenCalledOnce();
    await wantDesktopNotices(false);
    tellOnDesktop('too late', open);
    expect(shown).toHaveBeenCalledOnce();
  });

  it('comes of the one job that was asked for, and only of its end', async () => {
    shown.mockClear();
    FakeNotification.permission = 'default';
    vi.stubGlobal('Notification', FakeNotification);
    vi.stubGlobal('isSecureContext', true);
    vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    await watchJob('a', true);
    await watchJob('b', true);
    await watchJob('b', false);
    expect([isJobWatched('a'), isJobWatched('b')]).toEqual([true, false]);
    tellOnDesktop('Job "b" is complete.', () => {}, 'b');
    tellOnDesktop('Job "a" is complete.', () => {}, 'a');
    tellOnDesktop('Job "a" is complete, again.', () => {}, 'a');
    expect(shown.mock.calls.map(([body]) => body)).toEqual(['Job "a" is complete.']);
  });

  it('of a job is not promised when the browser refuses', async () => {
    FakeNotification.requestPermission.mockResolvedValueOnce('denied');
    vi.stubGlobal('Notification', FakeNotification);
    vi.stubGlobal('isSecureContext', true);
    await watchJob('c', true);
    expect(isJobWatched('c')).toBe(false);
  });
});
