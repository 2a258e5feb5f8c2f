// What a restart of the manager means, in words, and where its page is afterwards. Pure.
import { counted } from './bulk';

/** What to say before the manager starts again: `running` tasks, `edits` that are not saved, and where it will be when that changes. */
export function restartWords(running: number, edits: number, address: string): string {
  const tasks = running > 0 ? `${counted(running, 'task')} ${running === 1 ? 'goes' : 'go'} on; their workers report when it is back.` : 'No task is running.';
  const place = address === '' ? '' : ` After that, this page is at ${address}`;
  const unsaved = edits === 0 ? '' : ` ${counted(edits, 'edit')} on this page ${edits === 1 ? 'is' : 'are'} not saved, and will not be in force.`;
  return `For a moment workers get no new task, and pages no answer. ${tasks} Nothing that was accepted is lost.${unsaved}${place}`;
}

/** The address of the settings once the manager listens somewhere else: `listen` as in its file. Empty when it stays. */
export function addressAfter(listen: string, now: string, page: URL): string {
  const [host, port] = split(listen);
  if (port === '' || (port === split(now)[1] && host === split(now)[0])) return '';
  const next = new URL(page);
  next.port = port;
  // A manager that listens on one address only is found there and nowhere else.
  if (host !== '' && host !== '0.0.0.0' && host !== '[::]') next.hostname = host;
  return next.origin === page.origin ? '' : `${next.origin}${page.pathname}`;
}

function split(listen: string): [host: string, port: string] {
  const match = /^(.*):(\d+)$/.exec(listen.trim());
  return [match?.[1] ?? '', match?.[2] ?? ''];
}
