// Two jobs of a shot in one picture: where each goes, and which of their frames belong together.
import type { FrameRow } from './frames';

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** How two jobs share the stage: next to each other, or one over the other up to a line that moves. */
export type Arrangement = 'side' | 'wipe';

/** Where the two pictures go. Next to each other means below each other where the stage is higher than wide. */
export function stageAreas(arrangement: Arrangement, width: number, height: number, gap = 0): [Rectangle, Rectangle] {
  const whole = { x: 0, y: 0, width, height };
  if (arrangement === 'wipe') return [whole, whole];
  if (width >= height) {
    const each = (width - gap) / 2;
    return [{ ...whole, width: each }, { ...whole, x: each + gap, width: each }];
  }
  const each = (height - gap) / 2;
  return [{ ...whole, height: each }, { ...whole, y: each + gap, height: each }];
}

/** Where a picture lies in an area: as large as fits, or by `scale` times its own size, in the middle. */
export function placeIn(area: Rectangle, picture: { readonly width: number; readonly height: number }, scale: number | 'fit'): Rectangle {
  const by = scale === 'fit' ? Math.min(area.width / picture.width, area.height / picture.height) : scale;
  const [width, height] = [picture.width * by, picture.height * by];
  return { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
}

/**
 * What a job shows for a frame number: the frame itself, or the nearest before it that has a picture, else the first that
 * has one. `rows` are in order.
 */
export function pictureFor<R extends Pick<FrameRow, 'frame' | 'thumb'>>(rows: readonly R[], frame: number): { readonly row: R; readonly exact: boolean } | undefined {
  const row = rows.findLast((one) => one.thumb !== '' && one.frame <= frame) ?? rows.find((one) => one.thumb !== '');
  return row && { row, exact: row.frame === frame };
}

interface JobLike {
  readonly id: string;
  readonly name: string;
  readonly shot: string;
  readonly project: string;
  readonly created: number;
}

/** The other jobs of the same shot, the newest first. */
export function jobsOfShot<J extends JobLike>(jobs: Iterable<J>, job: JobLike): J[] {
  const found = [...jobs].filter((one) => one.id !== job.id && one.shot === job.shot && one.project === job.project);
  return found.sort((a, b) => b.created - a.created);
}
