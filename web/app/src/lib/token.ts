// Tokens that nobody can guess, and that a person can read out.

// Without l, o, 0 and 1, which look like each other: 32 of them, so that each stands for five random bits.
const LETTERS = 'abcdefghijkmnpqrstuvwxyz23456789';
const GROUPS = 4;
const GROUP = 8;

/** A new token: 160 random bits, in four groups. */
export function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(GROUPS * GROUP));
  const letters = Array.from(bytes, (byte) => LETTERS.charAt(byte % LETTERS.length));
  return Array.from({ length: GROUPS }, (_, group) => letters.slice(group * GROUP, (group + 1) * GROUP).join('')).join('-');
}
