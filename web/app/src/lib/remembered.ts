// Small things a browser remembers about how a person likes the page. A browser that refuses storage forgets them.
import { shallowRef, watch, type ShallowRef } from 'vue';

export function remembered(key: string, fallback: string): ShallowRef<string> {
  const value = shallowRef(read(key) ?? fallback);
  watch(value, (now) => write(key, now));
  return value;
}

export function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Private browsing without storage: the choice lasts for this page only.
  }
}
