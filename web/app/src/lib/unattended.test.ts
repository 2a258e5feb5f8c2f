import { mount } from '@vue/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isBeingEdited, useUnattended } from './unattended';

function page(html: string): HTMLElement {
  const root = document.createElement('div');
  root.innerHTML = html;
  return root;
}

it.each([
  ['an empty page', '<p>text</p>', false],
  ['an empty field', '<input type="text">', false],
  ['a switch', '<input type="checkbox" value="on">', false],
  ['a slider', '<input type="range" value="3">', false],
  ['a filter', '<div role="search"><input value="smoke"></div>', false],
  ['a field with something in it', '<form><input value="new tag"></form>', true],
  ['a field of many lines', '<textarea>one</textarea>', true],
  ['a question', '<div role="dialog"></div>', true],
  ['an open menu', '<div role="menu"></div>', true],
])('%s is being edited: %s', (_, html, expected) => expect(isBeingEdited(page(html))).toBe(expected));

describe('a page that nobody looks after', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    vi.useRealTimers();
    document.body.innerHTML = '';
  });

  it('is one where nothing has moved for the time, and nothing is open', () => {
    const action = vi.fn();
    const mounted = mount({ setup: () => useUnattended(1000, action), template: '<p></p>' });
    vi.advanceTimersByTime(900);
    dispatchEvent(new Event('pointermove'));
    vi.advanceTimersByTime(900);
    expect(action).not.toHaveBeenCalled();
    document.body.innerHTML = '<div role="dialog"></div>';
    vi.advanceTimersByTime(1000);
    expect(action).not.toHaveBeenCalled();
    document.body.innerHTML = '';
    vi.advanceTimersByTime(1000);
    expect(action).toHaveBeenCalledOnce();
    mounted.unmount();
    vi.advanceTimersByTime(5000);
    expect(action).toHaveBeenCalledOnce();
  });
});
