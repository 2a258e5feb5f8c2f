// What a restart of the manager means, in words, and where its page is afterwards. Pure.
import { counted } from './bulk';

/** What to say before the manager starts again; `running` tasks, and where it will be when that changes. */
export function restartWords(running: number, address: string): string {
  const tasks = running > 0 ? `${counted(running, 'task')} ${running === 1 ? 'goes' : 'go'} on; their workers report when it is back.` : 'No task is running.';
  const place = address === '' ? '' : ` After that, this page is at ${address}`;
  return `For a moment nobody gets an answer, nor a new task. ${tasks} Nothing that was accepted is lost. Edits on this page that are not saved stay, and do not count.${place}`;
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
