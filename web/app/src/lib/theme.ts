// Dark unless a person chose otherwise; the choice is remembered.
import { watchEffect } from 'vue';
import { remembered } from './remembered';

export const theme = remembered('theme', 'dark');

export function applyTheme(): void {
  watchEffect(() => {
    document.documentElement.dataset.theme = theme.value === 'light' ? 'light' : 'dark';
  });
}

export function toggleTheme(): void {
  theme.value = theme.value === 'light' ? 'dark' : 'light';
}
