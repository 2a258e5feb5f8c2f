// Addresses of the image that was rendered last. Pure.
import type { LastRenderedInfo } from '@/api/types';

/** The address of an image, of the size whose name has `part` in it, or the largest. `version` gets round caches. */
export function imageAddress(info: LastRenderedInfo, part: string, version: number): string {
  const suffix = info.suffixes.find((one) => part !== '' && one.includes(part)) ?? info.suffixes[0] ?? '';
  return `${info.base}/${suffix}?v=${version}`;
}

/** The job that an image belongs to, as far as its address tells. */
export function jobOf(info: LastRenderedInfo): string {
  return /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(info.base)?.[0] ?? '';
}
