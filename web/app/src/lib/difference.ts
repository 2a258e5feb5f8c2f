// How much one picture differs from another, to find frames that flicker.

export interface Difference {
  /** Mean over all pixels and colours, and the largest of all; from 0 (the same) to 1. */
  readonly mean: number;
  readonly most: number;
}

/** Reads it from a picture of absolute differences, as RGBA bytes. Alpha does not count. */
export function readDifference(pixels: Uint8ClampedArray): Difference {
  let [sum, most] = [0, 0];
  for (let at = 0; at < pixels.length; at += 4) {
    for (let colour = 0; colour < 3; colour++) {
      const value = pixels[at + colour] ?? 0;
      sum += value;
      if (value > most) most = value;
    }
  }
  const count = (pixels.length / 4) * 3;
  return { mean: count === 0 ? 0 : sum / count / 255, most: most / 255 };
}

/** "0.0 %", "0.4 %", "12 %". */
export function shareText(share: number): string {
  const percent = share * 100;
  return `${percent < 9.95 ? percent.toFixed(1) : Math.round(percent)} %`;
}
