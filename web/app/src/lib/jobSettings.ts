// The settings of a job in the words of its job type.
import type { JobType } from '@/api/types';
import { parseFrames } from './frames';

export interface SettingRow {
  readonly key: string;
  readonly label: string;
  readonly description: string;
  readonly value: string;
}

type Settings = Record<string, unknown>;

/**
 * What to show of a job's settings. With its job type: what the type declares and does not hide from the web, in its
 * order. Without (the type no longer exists): everything, by key.
 */
export function settingRows(settings: Settings, jobType: JobType | null): SettingRow[] {
  if (!jobType) {
    const keys = Object.keys(settings).sort();
    return keys.map((key) => ({ key, label: key, description: '', value: shownValue(settings[key]) }));
  }
  return jobType.settings
    .filter((setting) => isVisible(setting.visible) && settings[setting.key] !== undefined)
    .map((setting) => ({
      key: setting.key,
      label: textOf(setting.label) || humanKey(setting.key),
      description: textOf(setting.description),
      value: shownValue(settings[setting.key]),
    }));
}

function isVisible(visible: string | undefined): boolean {
  return visible === undefined || visible === 'visible' || visible === 'web';
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** `render_output_root` reads "Render output root". */
export function humanKey(key: string): string {
  const words = key.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function shownValue(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The frame rate that a job is made for; `undefined` when its settings do not say. */
export function fpsOf(settings: Settings | undefined): number | undefined {
  const fps = Number(settings?.fps);
  return Number.isFinite(fps) && fps > 0 ? fps : undefined;
}

/** Whether a job asks for each number between its first and last frame, as far as its settings say; else it may have gaps. */
export function rendersEveryNumber(settings: Settings | undefined): boolean {
  const range = settings?.frames;
  if (typeof range !== 'string') return true;
  const numbers = parseFrames(range.replaceAll('..', '-'));
  const [first, last] = [numbers[0], numbers.at(-1)];
  return first !== undefined && last !== undefined && last - first + 1 === numbers.length;
}
