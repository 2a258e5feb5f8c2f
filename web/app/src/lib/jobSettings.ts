// The settings of a job in the words of its job type.
import type { JobType } from '@/api/types';

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

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** `render_output_root` reads "Render output root". */
function humanKey(key: string): string {
  const words = key.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function shownValue(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
