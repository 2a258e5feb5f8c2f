// Names that people gave, inside of sentences.

/** Letters written from right to left, and the characters that turn the direction of what follows. */
const TURNS = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]|[\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const [ISOLATE, END] = ['\u2068', '\u2069'];

/** A name that keeps its direction of writing to itself, so that the words around it stay where they are. */
export function isolated(name: string): string {
  return TURNS.test(name) ? `${ISOLATE}${name}${END}` : name;
}

/** The name in quotation marks. */
export function quoted(name: string): string {
  return `"${isolated(name)}"`;
}
