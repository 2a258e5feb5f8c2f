// Paths of any platform, as text.

/** The folder that a file is in, without the slash at its end; empty for a name without a folder. */
export function folderOf(path: string): string {
  const folder = /^(.*)[\\/]/s.exec(path)?.[1];
  if (folder === undefined) return '';
  // Of a file at the top of a drive or of everything, the slash is all there is.
  return /^(?:[A-Za-z]:)?$/.test(folder) ? path.slice(0, folder.length + 1) : folder;
}
