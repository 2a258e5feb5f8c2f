// Dark or light: as the system is set, until a person chooses otherwise; the choice is remembered.
import { computed, shallowRef, watchEffect } from 'vue';
import { remembered } from './remembered';

export type Theme = 'dark' | 'light';

const preference = globalThis.matchMedia?.('(prefers-color-scheme: light)');
const system = shallowRef<Theme>(preference?.matches ? 'light' : 'dark');
preference?.addEventListener('change', ({ matches }) => (system.value = matches ? 'light' : 'dark'));

/** Empty, or anything unknown: as the system. */
const chosen = remembered('theme', '');

export const theme = computed<Theme>(() => (chosen.value === 'light' || chosen.value === 'dark' ? chosen.value : system.value));

/** Keeps the page in the theme, and what the browser draws around it. */
export function applyTheme(): void {
  watchEffect(() => {
    document.documentElement.dataset.theme = theme.value;
    const edge = getComputedStyle(document.documentElement).getPropertyValue('--bg').trim();
    if (edge !== '') document.querySelector('meta[name="theme-color"]')?.setAttribute('content', edge);
  });
}

/** Whoever chooses what the system says goes on following it. */
export function toggleTheme(): void {
  const other = theme.value === 'light' ? 'dark' : 'light';
  chosen.value = other === system.value ? '' : other;
}
