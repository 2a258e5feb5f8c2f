// Where the mistake is in a script that should be a job type.
import type { BrokenJobType } from '@/api/types';

/** File, line and column as editors and compilers write them; empty when nothing of it is known. */
export function placeOf({ wrong_file: file, line, column }: Pick<BrokenJobType, 'wrong_file' | 'line' | 'column'>): string {
  return [file, ...(line === undefined ? [] : [line, ...(column === undefined ? [] : [column])])].filter((part) => part !== undefined && part !== '').join(':');
}
