import { afterEach, beforeEach, expect, it, vi } from 'vitest';

let listener: (event: { matches: boolean }) => void = () => {};
async function fresh(light: boolean): Promise<typeof import('./theme')> {
  vi.stubGlobal('matchMedia', () => ({ matches: light, addEventListener: (_: string, heard: typeof listener) => (listener = heard) }));
  vi.resetModules();
  return import('./theme');
}

beforeEach(() => localStorage.clear());
afterEach(() => void vi.unstubAllGlobals());

it.each([[true, 'light'], [false, 'dark']])('follows a system that wants light: %s', async (light, expected) => {
  const { theme } = await fresh(light);
  expect(theme.value).toBe(expected);
  listener({ matches: !light });
  expect(theme.value, 'the system has changed').not.toBe(expected);
});

it.each(['light', 'dark'])('keeps to %s once somebody has chosen it, whatever the system says', async (wanted) => {
  localStorage.setItem('theme', wanted);
  const { theme } = await fresh(wanted === 'dark');
  expect(theme.value).toBe(wanted);
  listener({ matches: wanted === 'dark' });
  expect(theme.value).toBe(wanted);
});

it('follows the system again when what is chosen is what it says', async () => {
  const { theme, toggleTheme } = await fresh(false);
  toggleTheme();
  expect(theme.value).toBe('light');
  toggleTheme();
  expect(theme.value).toBe('dark');
  listener({ matches: true });
  expect(theme.value).toBe('light');
});
