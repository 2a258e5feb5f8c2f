// The frames that the farm rendered last, over all jobs, live.
import { onScopeDispose, shallowRef, type ShallowRef } from 'vue';
import { api, takeBody, type RequestError } from '@/api/client';
import type { LatestFrame } from '@/api/types';
import { tellsOfFiles } from '@/lib/frames';
import { useEvent, useSubscription } from '@/live/socket';
import { viewerPlatform } from '@/lib/platform';
import { useReading } from './reading';

/** Least time between two readings, in milliseconds. */
const PACE = 1000;

export interface LatestFrames {
  readonly frames: ShallowRef<readonly LatestFrame[]>;
  readonly ready: ShallowRef<boolean>;
  readonly error: ShallowRef<RequestError | null>;
  read(): Promise<void>;
}

export function useLatestFrames(limit: number): LatestFrames {
  const frames: ShallowRef<readonly LatestFrame[]> = shallowRef([]);
  const reading = useReading(async (wanted) => {
    const query = { limit, thumbnails_only: true, platform: viewerPlatform() };
    const read = await takeBody(api.GET('/api/v3/frames/latest', { params: { query } }));
    if (wanted()) frames.value = read.frames;
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  useSubscription('allFrames', () => 'all', () => void reading.read());
  useEvent('/frames', (update) => {
    if (!tellsOfFiles(update)) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      void reading.read();
    }, PACE);
  });
  onScopeDispose(() => clearTimeout(timer));
  return { frames, ready: reading.ready, error: reading.error, read: reading.read };
}
