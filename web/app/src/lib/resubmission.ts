// A job that is submitted once more: the form for its settings, and what goes back to the manager.
import type { JobSetting, JobType, SubmittedJob } from '@/api/types';
import { humanKey, textOf } from './jobSettings';

export interface FormField {
  readonly key: string;
  readonly label: string;
  readonly description: string;
  readonly kind: 'text' | 'integer' | 'number' | 'switch' | 'choice';
  readonly choices: readonly string[];
  readonly required: boolean;
  readonly min: number | undefined;
  readonly max: number | undefined;
  /** Why it stays as it is; empty when people may change it. */
  readonly kept: string;
}

/** What stands in the fields: texts as they are typed, so that half a number is no trouble. */
export type FormValues = Readonly<Record<string, string | boolean>>;

type Settings = Readonly<Record<string, unknown>>;

const KINDS = { string: 'text', int32: 'integer', float: 'number', bool: 'switch' } as const;
const INT32 = { min: -2_147_483_648, max: 2_147_483_647 };

/** The settings that are shown while submitting, and those that are only shown. What is hidden is sent as it is. */
export function formFields(jobType: JobType): FormField[] {
  const shown = jobType.settings.filter((setting) => setting.visible !== 'hidden');
  return shown.map((setting) => {
    const { key, propargs = {} } = setting;
    const choices = setting.choices ?? [];
    const limit = (name: string): number | undefined => (typeof propargs[name] === 'number' ? propargs[name] : undefined);
    return {
      key,
      label: textOf(setting.label) || humanKey(key),
      description: textOf(setting.description),
      kind: choices.length > 0 && setting.type === 'string' ? 'choice' : KINDS[setting.type],
      choices,
      required: setting.required === true,
      min: limit('min') ?? (setting.type === 'int32' ? INT32.min : undefined),
      max: limit('max') ?? (setting.type === 'int32' ? INT32.max : undefined),
      kept: whyKept(setting, jobType.settings),
    };
  });
}

function whyKept(setting: JobSetting, all: readonly JobSetting[]): string {
  if (setting.editable === false) return setting.eval ? 'Worked out by Blender when it submitted the job.' : 'The job type does not let it be changed.';
  if (setting.visible === 'web') return 'Told by Blender; submit from there to change it.';
  // Blender would work out the other one anew from this; nobody does here, so changing it would do nothing.
  const used = all.find((other) => other.editable === false && other.eval !== undefined && uses(other.eval, setting.key));
  return used ? `Goes into ${textOf(used.label) || humanKey(used.key)}, which only Blender can work out anew.` : '';
}

function uses(expression: string, key: string): boolean {
  return new RegExp(String.raw`\bsettings\.${key.replaceAll(/\W/g, String.raw`\$&`)}\b`).test(expression);
}

/** What stands in the fields at first: what the old job had, or else what the job type begins with. */
export function formValues(jobType: JobType, settings: Settings): FormValues {
  const value = ({ key, type, default: usual }: JobSetting): string | boolean => {
    const had = settings[key] ?? usual;
    if (type === 'bool') return had === true;
    if (had === undefined || had === null) return '';
    return typeof had === 'string' ? had : JSON.stringify(had);
  };
  return Object.fromEntries(jobType.settings.map((setting) => [setting.key, value(setting)]));
}

/** What is wrong with the fields, by key. What the job type itself refuses, only the manager knows. */
export function wrongFields(fields: readonly FormField[], values: FormValues): Record<string, string> {
  const wrong = fields.flatMap((field): [string, string][] => {
    const problem = field.kept === '' ? problemOf(field, values[field.key]) : '';
    return problem === '' ? [] : [[field.key, problem]];
  });
  return Object.fromEntries(wrong);
}

function problemOf(field: FormField, value: string | boolean | undefined): string {
  if (typeof value === 'boolean') return '';
  const text = value?.trim() ?? '';
  if (text === '') return field.required ? 'This must not be empty.' : '';
  if (field.kind !== 'integer' && field.kind !== 'number') return '';
  const number = Number(text);
  if (!Number.isFinite(number)) return `This must be a number, not “${text}”.`;
  if (field.kind === 'integer' && !Number.isInteger(number)) return 'This must be a whole number.';
  if (field.min !== undefined && number < field.min) return `The least is ${field.min}.`;
  if (field.max !== undefined && number > field.max) return `The most is ${field.max}.`;
  return '';
}

/**
 * The settings to send: those of the old job, also the hidden ones and those that the type does not know, with what was
 * changed in the form. What only the type has now comes with what it begins with.
 */
export function settingsToSend(jobType: JobType, old: Settings, values: FormValues): Record<string, unknown> {
  const settings: Record<string, unknown> = { ...old };
  const before = formValues(jobType, old);
  for (const { key, type, default: usual } of jobType.settings) {
    if (settings[key] === undefined && usual !== undefined) settings[key] = usual;
    const value = values[key];
    if (value === undefined || value === before[key]) continue;
    if (typeof value === 'boolean') settings[key] = value;
    else if (type === 'string') settings[key] = value;
    else if (value.trim() === '') delete settings[key];
    else settings[key] = Number(value);
  }
  return settings;
}

/** What tells who submitted from where, and marks that submission: not so of the next one. */
const OF_SUBMITTER = new Set(['submission.id', 'user.name', 'submitted.from', 'addon.version']);
/** The job that a job was made after. */
const MADE_AFTER = 'submitted.again';

/** What a person fills in beside the settings. */
export interface Order {
  readonly name: string;
  readonly priority: number;
  /** Id of the tag, or empty. */
  readonly tag: string;
  readonly paused: boolean;
  /** Who submits, or empty. */
  readonly by: string;
  readonly values: FormValues;
}

/** The job to submit: all that the old one had, for the job type as it is now. */
export function jobToSend(old: SubmittedJob, oldId: string, jobType: JobType, order: Order): SubmittedJob {
  const kept = Object.entries(old.metadata ?? {}).filter(([key]) => !OF_SUBMITTER.has(key));
  const by = order.by.trim();
  const job: SubmittedJob = {
    ...old,
    name: order.name.trim(),
    type_etag: jobType.etag,
    priority: order.priority,
    settings: settingsToSend(jobType, old.settings ?? {}, order.values),
    metadata: { ...Object.fromEntries(kept), ...(by === '' ? {} : { 'user.name': by }), [MADE_AFTER]: oldId },
    worker_tag: order.tag,
    initial_status: order.paused ? 'paused' : 'queued',
  };
  if (order.tag === '') delete job.worker_tag;
  return job;
}

/** How the job type differs from the one that the job was made with, in words; empty when it is the same. */
export function changesOf(jobType: JobType, submission: SubmittedJob): string {
  if (!submission.type_etag || submission.type_etag === jobType.etag) return '';
  const old = submission.settings ?? {};
  const known = new Set(jobType.settings.map(({ key }) => key));
  const added = jobType.settings.map(({ key }) => key).filter((key) => old[key] === undefined);
  const gone = Object.keys(old).filter((key) => !known.has(key));
  const parts = [`The job type “${jobType.label}” has changed since this job was submitted.`];
  if (added.length > 0) parts.push(`The job has no ${added.join(', ')}: look whether what stands there now is right.`);
  if (gone.length > 0) parts.push(`It no longer knows ${gone.join(', ')}, which is sent along all the same.`);
  return parts.join(' ');
}

/** The field that a message of the manager is about: `name`, `tag` or the key of a setting; empty when it does not say. */
export function fieldOf(message: string, fields: readonly FormField[], values: FormValues): string {
  if (/^name\b/.test(message)) return 'name';
  if (/worker[ _]tag/.test(message)) return 'tag';
  const open = fields.filter(({ kept }) => kept === '');
  const quoted = open.find(({ key, kind }) => kind === 'text' && values[key] !== '' && message.includes(JSON.stringify(values[key])));
  if (quoted) return quoted.key;
  const named = open.find(({ key, label }) => [key, key.replaceAll('_', ' '), label].some((word) => hasWord(message, word)));
  return named?.key ?? '';
}

function hasWord(text: string, word: string): boolean {
  const at = text.toLowerCase().indexOf(word.toLowerCase());
  const isLetter = (place: number): boolean => /\w/.test(text.charAt(place));
  return word !== '' && at >= 0 && !isLetter(at - 1) && !isLetter(at + word.length);
}
