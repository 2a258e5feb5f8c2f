// What a line of a task log is: decides its colour.

export type LogLevel = 'error' | 'warning' | 'manager' | 'output' | 'plain';

const ERROR = /\b(?:error|fatal|traceback|exception|panicked|segmentation fault|abnormally|failed)\b/i;
const WARNING = /\bwarn(?:ing)?\b/i;
// The manager writes its own remarks as "<RFC 3339 time> text".
const MANAGER = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)\s/;
// Blender's line about a written file, in its 3.x and its 5.x form; the worker puts the process in front.
const SAVED = /^(?:pid=\d+ > )?(?:[^|']*\|\s*)?Saved: ['"]/;
// "0 errors" and "error: none" are good news.
const NO_ERROR = /\b(?:no|0|without) errors?\b|\berrors?: (?:0|none)\b/i;

export function classifyLine(line: string): LogLevel {
  if (SAVED.test(line)) return 'output';
  if (ERROR.test(line) && !NO_ERROR.test(line)) return 'error';
  if (WARNING.test(line)) return 'warning';
  if (MANAGER.test(line)) return 'manager';
  return 'plain';
}

const SAVED_PATH = /Saved: (['"])(.*)\1/d;

/** Where in a line the name of the file stands that it says was saved. */
export function savedFile(line: string): { readonly path: string; readonly from: number; readonly to: number } | undefined {
  if (!SAVED.test(line)) return undefined;
  const found = SAVED_PATH.exec(line);
  const [path, place] = [found?.[2], found?.indices?.[2]];
  return path && place ? { path, from: place[0], to: place[1] } : undefined;
}
