import { afterEach, describe, expect, it, vi } from 'vitest';
import { desktopState, tellOnDesktop, wantDesktopNotices } from './desktopNotice';

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
});
