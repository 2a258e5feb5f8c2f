// How quick a worker is beside the others, in words. Pure.
import type { WorkerJobPace } from '@/api/types';

/** Differences below this are chance. */
const SAME = 0.05;

/** How many times as long as all workers it takes for the same frames: each job counts by its frames. */
export function farmPace(jobs: readonly WorkerJobPace[]): number | undefined {
  let [own, farm] = [0, 0];
  for (const { frames, mean_ms, farm_mean_ms } of jobs) {
    own += frames * mean_ms;
    farm += frames * farm_mean_ms;
  }
  return farm > 0 ? own / farm : undefined;
}

/** "20 % quicker than", "As quick as", "2.1 times as slow as". `short` is without "than" and "as". */
export function paceWords(ratio: number, short = false): string {
  if (Math.abs(ratio - 1) < SAME) return short ? 'the same' : 'As quick as';
  if (ratio >= 2) return short ? `${ratio.toFixed(1)} × as long` : `Takes ${ratio.toFixed(1)} times as long as`;
  const percent = `${Math.round(Math.abs(1 - ratio) * 100)} %`;
  const word = ratio > 1 ? 'slower' : 'quicker';
  return short ? `${percent} ${word}` : `${percent} ${word} than`;
}
