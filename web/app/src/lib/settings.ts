// The manager's configuration file as a form: its sections and fields, what is wrong with a value, and what somebody else
// changed meanwhile. Pure. Keys that are not listed here are kept as they are.

import type { SettingState } from '@/api/types';

export type FieldKind = 'text' | 'duration' | 'count' | 'switch' | 'choice' | 'list' | 'secret';

export interface Field {
  /** The key with those around it: `shaman.garbageCollect.period`. */
  readonly key: string;
  readonly label: string;
  readonly kind: FieldKind;
  readonly help: string;
  /** What holds when nothing is written, as far as the manager has not said it. */
  readonly usual: string;
  readonly required?: boolean;
  readonly choices?: readonly string[];
  /** Can be made up, because nobody has to know it by heart. */
  readonly generate?: boolean;
  /** Has a meaning only while this switch is on, or this text is there. */
  readonly needs?: string;
}

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly fields: readonly Field[];
}

const generate = true;
const required = true;

export const SECTIONS: readonly Section[] = [
  {
    id: 'core',
    title: 'Core',
    fields: [
      { key: 'manager_name', label: 'Name', kind: 'text', usual: 'Flamenco', help: 'Shown in the web interface, to tell farms apart.' },
      { key: 'listen', label: 'Address and port', kind: 'text', usual: ':8080', required, help: 'Host and port of the web interface and the API. Without a host: all network interfaces.' },
      { key: 'autodiscoverable', label: 'Announce on the network', kind: 'switch', usual: 'on', help: 'Lets workers find this manager by themselves.' },
      { key: 'database', label: 'Database', kind: 'text', usual: 'flamenco-manager.sqlite', required, help: 'A file, or a PostgreSQL server: postgres://user:password@host/database. A password is shown as stars; leave them to keep it.' },
      { key: 'database_check_period', label: 'Check the database every', kind: 'duration', usual: '24h0m0s', required, help: 'How often the database is checked for damage. 0s: only at the start.' },
    ],
  },
  {
    id: 'storage',
    title: 'Storage',
    fields: [
      { key: 'shared_storage_path', label: 'Shared storage', kind: 'text', usual: '', required, help: 'Where blend files and renders are kept. Every worker must be able to reach it.' },
      { key: 'local_manager_storage_path', label: 'Storage of the manager', kind: 'text', usual: './flamenco-manager-storage', required, help: 'Where logs and preview images are kept. Only the manager uses it.' },
      { key: 'thumbnail_storage_mb', label: 'Thumbnails take at most, in MB', kind: 'count', usual: '20000', required, help: 'Pictures of frames for this page. When there are more, the oldest large ones are removed. 0: no limit.' },
      { key: 'shaman.enabled', label: 'Shaman file store', kind: 'switch', usual: 'on', help: 'Stores every submitted file only once, however many jobs use it.' },
      { key: 'shaman.linkType', label: 'Files appear in a job as', kind: 'choice', usual: 'auto', needs: 'shaman.enabled', choices: ['auto', 'symlink', 'hardlink', 'reflink', 'copy'], help: 'auto: what the storage can do.' },
      { key: 'shaman.flush', label: 'Wait for the disk', kind: 'switch', usual: 'on', needs: 'shaman.enabled', help: 'Before a file counts as stored. Without it uploads are quicker, and a power cut may lose some.' },
      { key: 'shaman.deferUploads', label: 'Wait for the uploads of others', kind: 'switch', usual: 'off', needs: 'shaman.enabled', help: 'Lets clients that offer it wait while somebody else uploads the same file.' },
      { key: 'shaman.garbageCollect.period', label: 'Look for unused files every', kind: 'duration', usual: '24h0m0s', required, needs: 'shaman.enabled', help: '0s: never.' },
      { key: 'shaman.garbageCollect.maxAge', label: 'Remove what was unused for', kind: 'duration', usual: '744h0m0s', required, needs: 'shaman.enabled', help: 'Only files that no job uses are removed.' },
    ],
  },
  {
    id: 'failures',
    title: 'Timeouts and failures',
    fields: [
      { key: 'task_timeout', label: 'Task timeout', kind: 'duration', usual: '10m0s', required, help: 'A task whose worker reports nothing for this long fails. 0s: never.' },
      { key: 'worker_timeout', label: 'Worker timeout', kind: 'duration', usual: '2m0s', required, help: 'A worker that is silent for this long counts as lost, and its tasks go to others. 0s: never. Workers pause for a minute after an error, so this should be longer.' },
      { key: 'worker_disk_limit', label: 'No tasks for a disk that is this full, in %', kind: 'count', usual: '0', required, help: 'A worker gets no new task while its system disk, its temporary files, or where it saved the last picture are this full. 0: however full.' },
      { key: 'blocklist_threshold', label: 'Block a worker after', kind: 'count', usual: '3', required, help: 'So many failures in one job, and a worker gets no more tasks of that type from that job. 0: it always does.' },
      { key: 'task_fail_after_softfail_count', label: 'A task fails after', kind: 'count', usual: '3', required, help: 'After failing on so many workers, a task fails for good. 0: at its first failure.' },
    ],
  },
  {
    id: 'jobtypes',
    title: 'Job types',
    fields: [
      { key: 'scripts_paths', label: 'Folders with job types', kind: 'list', usual: '', help: 'One a line. They overrule built-in job types of the same name.' },
      { key: 'script_time_limit', label: 'Time limit of a script', kind: 'duration', usual: '5s', required, help: 'How long the script of a job type may run.' },
    ],
  },
  {
    id: 'mqtt',
    title: 'MQTT',
    fields: [
      { key: 'mqtt.client.enabled', label: 'Send events to an MQTT server', kind: 'switch', usual: 'off', help: 'What happens on the farm, for other programs.' },
      { key: 'mqtt.client.broker', label: 'Server', kind: 'text', usual: '', needs: 'mqtt.client.enabled', required, help: 'For example tcp://host:1883 or ws://host:8083.' },
      { key: 'mqtt.client.clientID', label: 'Client id', kind: 'text', usual: 'flamenco', needs: 'mqtt.client.enabled', help: 'Two managers at one server need different ones.' },
      { key: 'mqtt.client.topic_prefix', label: 'Prefix of topics', kind: 'text', usual: 'flamenco', needs: 'mqtt.client.enabled', help: 'Topics are this, a slash, and the name of the event.' },
      { key: 'mqtt.client.username', label: 'User', kind: 'text', usual: '', needs: 'mqtt.client.enabled', help: 'Empty if the server wants none.' },
      { key: 'mqtt.client.password', label: 'Password', kind: 'secret', usual: '', needs: 'mqtt.client.enabled', help: 'The one that is set is never shown.' },
    ],
  },
  {
    id: 'access',
    title: 'Access',
    fields: [
      { key: 'access.admin_token', label: 'Admin token', kind: 'secret', generate, usual: '', help: 'Whoever has it may do everything. Without one, everybody who can reach the manager may. At least 16 characters. Whoever is signed in as admin with another one has to sign in again; this browser does so by itself.' },
      { key: 'access.artist_token', label: 'Artist token', kind: 'secret', generate, usual: '', help: 'Whoever has it may look at everything, submit jobs, and pause, cancel, requeue and delete them, but not change workers and settings. At least 16 characters.' },
      { key: 'access.viewer_token', label: 'Viewer token', kind: 'secret', generate, usual: '', help: 'Whoever has it may look at everything but these settings and the audit trail, and change nothing. At least 16 characters.' },
      { key: 'access.without_token', label: 'Without a token', kind: 'choice', usual: 'nothing', needs: 'access.admin_token', choices: ['nothing', 'viewer', 'artist'], help: 'What can be done without a token, once there is one for admins. viewer: looking. artist: submitting and changing jobs as well, so that add-ons and scripts without a token go on working.' },
      { key: 'audit_max_age', label: 'Keep the audit trail for', kind: 'duration', usual: '8760h0m0s', required, help: 'Who has changed what, and when. What is older is removed. 0s: keep it for ever.' },
      { key: 'access.registration_token', label: 'Registration token', kind: 'secret', generate, usual: '', help: 'A worker that is new must send it to be accepted. At least 16 characters.' },
      { key: 'access.allowed_origins', label: 'Other web pages', kind: 'list', usual: '', help: 'One a line, as https://host. They may receive live updates; needed behind a reverse proxy that hides its own address.' },
    ],
  },
];

const FIELDS = SECTIONS.flatMap((section) => section.fields);
export const MASK = '********';

export type Tree = { [key: string]: unknown };

export function valueAt(tree: Tree, key: string): unknown {
  return key.split('.').reduce<unknown>((node, name) => (isTree(node) ? node[name] : undefined), tree);
}

/** A copy of the tree with another value; what is around it is made where it is missing. */
export function withValue(tree: Tree, key: string, value: unknown): Tree {
  const [name = '', ...rest] = key.split('.');
  if (rest.length === 0) return { ...tree, [name]: value };
  const inner = tree[name];
  return { ...tree, [name]: withValue(isTree(inner) ? inner : {}, rest.join('.'), value) };
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const DURATION = /^\+?(?:0|(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*)$/;

/** What is wrong with the value of a field, in words; empty if nothing is. */
export function fieldError(field: Field, value: unknown): string {
  switch (field.kind) {
    case 'duration':
      return typeof value === 'string' && DURATION.test(value.trim()) ? '' : 'Write numbers with units, for example 1h30m, 90s or 0s.';
    case 'count':
      return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? '' : 'Write a whole number from 0 up.';
    case 'text':
      if (field.key === 'listen') return listenError(String(value ?? ''));
      return field.required && String(value ?? '').trim() === '' ? 'This must not be empty.' : '';
    case 'secret':
      return field.key.startsWith('access.') ? tokenError(String(value ?? '')) : '';
    default:
      return '';
  }
}

/** The manager would take it, and not start the next time. */
function listenError(text: string): string {
  const match = /^(?:\[[0-9a-fA-F:.%\w]+\]|[^\s:[\]]*):(\d{1,5})$/.exec(text.trim());
  return match && Number(match[1]) <= 65_535 ? '' : 'Write a port as :8080, or host:port.';
}

/** Whether a field has a meaning, because what it needs is there. */
export function isMeant(tree: Tree, field: Field): boolean {
  if (field.needs === undefined) return true;
  const needed = valueAt(tree, field.needs);
  return typeof needed === 'string' ? needed !== '' : needed === true;
}

const ROLE_TOKENS = ['access.admin_token', 'access.artist_token', 'access.viewer_token'];

/** What is wrong with the token of a role beside those of the others. One that was saved is not known here. */
function tokenConflict(tree: Tree, key: string): string {
  const place = ROLE_TOKENS.indexOf(key);
  const token = String(valueAt(tree, key) ?? '');
  if (place <= 0 || token === '') return '';
  if (String(valueAt(tree, 'access.admin_token') ?? '') === '') return 'This needs an admin token: without one, everybody may do everything.';
  const twin = ROLE_TOKENS.slice(0, place).find((other) => token !== MASK && valueAt(tree, other) === token);
  return twin ? `This is the ${labelOf(twin).toLowerCase()}. Every role has a token of its own.` : '';
}

function tokenError(token: string): string {
  if (token === '' || token === MASK) return '';
  // As they can be sent as a password in an address.
  if (!/^[!-9;-~]+$/.test(token)) return 'Only plain letters, digits and signs, without blanks and colons.';
  return token.length >= 16 ? '' : 'At least 16 characters.';
}

/** Everything that is wrong in the fields, by key. A field whose switch is off is not looked at. */
export function fieldErrors(tree: Tree): Map<string, string> {
  const errors = new Map<string, string>();
  for (const field of FIELDS) {
    if (!isMeant(tree, field)) continue;
    const error = fieldError(field, valueAt(tree, field.key)) || tokenConflict(tree, field.key);
    if (error !== '') errors.set(field.key, error);
  }
  return errors;
}

/** The manager's refusal, taken apart: what belongs to a key, and what does not. */
export function problemsOf(message: string): { byKey: Map<string, string>; rest: string[] } {
  const byKey = new Map<string, string>();
  const rest: string[] = [];
  const [first = '', ...lines] = message.split('\n');
  for (const line of lines) {
    const match = /^\s+(?:line \d+: )?([\w.[\]-]+): (.*)$/.exec(line);
    if (match?.[1] === 'warning') continue;
    if (match) byKey.set(match[1] ?? '', match[2] ?? '');
    else if (line.trim() !== '') rest.push(line.trim());
  }
  if (byKey.size === 0) rest.unshift(first);
  return { byKey, rest };
}

/** The keys whose values differ: those of fields, the names of variables as `variables.NAME`, and other keys at the top. */
export function changedKeys(before: Tree, after: Tree): string[] {
  const keys = new Set([...FIELDS.map((field) => field.key)]);
  const known = new Set([...keys].map((key) => key.split('.')[0]));
  for (const tree of [before, after]) {
    const variables = tree.variables;
    if (isTree(variables)) for (const name of Object.keys(variables)) keys.add(`variables.${name}`);
    for (const name of Object.keys(tree)) if (!known.has(name) && name !== 'variables') keys.add(name);
  }
  return [...keys].filter((key) => !same(at(before, key), at(after, key)));
}

/** Names of variables may have dots in them, unlike other keys. */
function at(tree: Tree, key: string): unknown {
  if (!key.startsWith('variables.')) return valueAt(tree, key);
  return isTree(tree.variables) ? tree.variables[key.slice('variables.'.length)] : undefined;
}

export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * What to save when the file was changed by somebody else since `base` was read: theirs, with my changes on top. Keys
 * that both changed, and not to the same, are conflicts; mine win in `merged`.
 */
export function rebase(base: Tree, mine: Tree, theirs: Tree): { merged: Tree; conflicts: string[] } {
  const changed = changedKeys(base, mine);
  const theirChanges = new Set(changedKeys(base, theirs));
  let merged = theirs;
  for (const key of changed) {
    const value = at(mine, key);
    if (!key.startsWith('variables.')) {
      merged = withValue(merged, key, value);
      continue;
    }
    const variables = { ...(isTree(merged.variables) ? merged.variables : {}) };
    if (value === undefined) delete variables[key.slice('variables.'.length)];
    else variables[key.slice('variables.'.length)] = value;
    merged = { ...merged, variables };
  }
  return { merged, conflicts: changed.filter((key) => theirChanges.has(key) && !same(at(mine, key), at(theirs, key))) };
}

/** What to call a key. */
export function labelOf(key: string): string {
  if (key.startsWith('variables.')) return `variable ${key.slice('variables.'.length)}`;
  return FIELDS.find((field) => field.key === key)?.label ?? key;
}

/** A value of the manager's list of settings, for a person. */
export function valueWords(field: Field, value: string): string {
  if (field.kind === 'switch') return value === 'true' ? 'on' : 'off';
  if (field.kind === 'secret') return value === '' ? 'not set' : 'set';
  return value === '' ? 'nothing' : value.split('\n').join(', ');
}

/** Where the value in force comes from. */
export function sourceWords(state: SettingState): string {
  switch (state.source) {
    case 'environment':
      return `from the environment variable ${state.variable ?? ''}`.trim();
    case 'file':
      return 'from the file';
    case 'default':
      return 'the default';
  }
}

/** Top-level keys that this page has no field for, and keeps. */
export function otherKeys(tree: Tree): string[] {
  const known = new Set(['_meta', 'variables', ...FIELDS.map((field) => field.key.split('.')[0])]);
  return Object.keys(tree).filter((key) => !known.has(key));
}

/** What is wrong with the name of a variable; `others` are the names there are already. */
export function variableNameError(name: string, others: readonly string[]): string {
  const trimmed = name.trim();
  if (trimmed === '') return 'Write a name.';
  if (/[{}]/.test(trimmed)) return 'A name has no braces; they are added where the variable is used.';
  if (trimmed === 'jobs') return 'The manager itself sets the variable "jobs".';
  return others.includes(trimmed) ? 'There is a variable of this name already.' : '';
}
