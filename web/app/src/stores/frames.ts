// The frames of the one job that is being looked at, live: a row for each number, rendered or not.
import { defineStore } from 'pinia';
import { computed, markRaw, shallowRef } from 'vue';
import { api, takeBody } from '@/api/client';
import type { FrameUpdate, JobFrame } from '@/api/types';
import { counted } from '@/lib/bulk';
import { fileRow, formatFrames, isRendered, placeRow, type FrameRow } from '@/lib/frames';
import { RowTable } from '@/lib/grid/rowTable';
import { toRequestError } from '@/api/client';
import { viewerPlatform } from '@/lib/platform';
import { useNotifications } from './notifications';
import { useReading } from './reading';
import { useWorkers } from './workers';

const PAGE = 1000;

export const useFrames = defineStore('frames', () => {
  const [workers, notifications] = [useWorkers(), useNotifications()];
  const table = markRaw(new RowTable<FrameRow>((row) => row.status));
  const jobId = shallowRef('');
  /** The files of each output, by frame, as far as they were read. */
  let filesOf = new Map<string, Map<number, JobFrame>>();
  const outputs = shallowRef<readonly string[]>([]);
  /** The one output whose files the rows show; empty for the newest file of each frame. */
  const output = shallowRef('');

  const reading = useReading(async (wanted) => {
    const present = new Set<string>();
    let from: number | undefined;
    do {
      const params = { path: { job_id: jobId.value }, query: from === undefined ? {} : { from } };
      const grid = await takeBody(api.GET('/api/v3/jobs/{job_id}/frames/grid', { params }));
      if (!wanted()) return;
      for (const place of grid.places) {
        present.add(String(place.frame));
        const name = place.worker === undefined ? '' : (workers.table.get(place.worker)?.name ?? '');
        putPlace(placeRow(place, name));
      }
      from = grid.next_from;
    } while (from !== undefined);
    const gone = [...table.values()].filter((row) => !present.has(row.id));
    for (const row of gone) table.remove(row.id);
    table.flush();
    if (output.value !== '') void files.read();
  });

  /** What only the files tell (names, sizes, memory), for a table that shows it. */
  const files = useReading(async (wanted) => {
    let cursor: string | undefined;
    do {
      const query = { limit: PAGE, platform: viewerPlatform(), ...(cursor === undefined ? {} : { cursor }) };
      const page = await takeBody(api.GET('/api/v3/jobs/{job_id}/frames', { params: { path: { job_id: jobId.value }, query } }));
      if (!wanted()) return;
      for (const file of page.frames) {
        remember(file);
        if (output.value === '' ? table.get(String(file.frame))?.fileId === file.id : file.output === output.value) putFile(file);
      }
      cursor = page.next_cursor;
    } while (cursor !== undefined);
    table.flush();
  });

  /** An event does not know who reads it, so its paths are the worker's; those of one output are in one folder. */
  function forViewer(file: JobFrame): JobFrame {
    const known = file.platform_path === undefined && file.output ? filesOf.get(file.output)?.values().next().value?.platform_path : undefined;
    const folder = known === undefined ? undefined : /^.*[\\/]/.exec(known)?.[0];
    return folder === undefined ? file : { ...file, platform_path: folder + file.name };
  }

  function remember(file: JobFrame): void {
    if (!file.output) return;
    const known = filesOf.get(file.output);
    if (known) known.set(file.frame, file);
    else {
      filesOf.set(file.output, new Map([[file.frame, file]]));
      outputs.value = [...filesOf.keys()].sort();
    }
  }

  /** Shows the files of one output, or with an empty text the newest of each frame. */
  function showOutput(wanted: string): void {
    if (wanted === output.value) return;
    output.value = wanted;
    // The rows are of other files now, whatever they were before.
    files.reset();
    if (jobId.value !== '') void reading.read();
  }

  function putPlace(row: FrameRow): void {
    const file = isRendered(row.status) ? filesOf.get(output.value)?.get(row.frame) : undefined;
    if (file) return table.put(fileRow(file, row.files));
    const known = table.get(row.id);
    // An answer may be older than an event that came while it was on its way.
    if (known && known.fileId === row.fileId && known.attempt > row.attempt) return;
    if (known?.fileId !== row.fileId || known.attempt !== row.attempt) return table.put(row);
    // The same rendering: what its file told stays true.
    const { name, nameKey, path, output: of, saveMs, peakMemory, fileSize, width, height, search } = known;
    table.put({ ...row, name, nameKey, path, output: of, saveMs, peakMemory, fileSize, width, height, search });
  }

  function putFile(file: JobFrame): void {
    if (output.value !== '' && file.output && file.output !== output.value) return;
    const known = table.get(String(file.frame));
    const isNew = known !== undefined && known.fileId !== file.id;
    const row = fileRow(file, Math.max(known?.files ?? 0, isNew && known.fileId !== 0 ? 2 : 1));
    // An older event; or, with an output chosen, the file of another one that made the row until now.
    if (known && known.updated > row.updated && (output.value === '' || known.output === row.output)) return;
    table.put(row);
  }

  /** True when more changed than the event says, so that the frames have to be read again. */
  function applyUpdate(update: FrameUpdate): boolean {
    if (update.job !== jobId.value) return false;
    for (const told of update.frames) {
      const file = forViewer(told);
      remember(file);
      putFile(file);
    }
    for (const { frame, percent } of update.progress ?? []) {
      const row = table.get(String(frame));
      if (row?.status === 'rendering') table.put({ ...row, percent });
    }
    return update.refresh;
  }

  /** Forgets the frames of another job. What this one has is read by `reading`. */
  function turnTo(id: string): void {
    if (id === jobId.value) return;
    reading.reset();
    files.reset();
    table.clear();
    [filesOf, outputs.value, output.value] = [new Map(), [], ''];
    jobId.value = id;
  }

  /** Asks for some frames to be rendered again, and reports what came of it. */
  async function requeue(numbers: readonly number[]): Promise<void> {
    const body = { frames: formatFrames(numbers), reason: 'requested from web interface' };
    const params = { path: { job_id: jobId.value } };
    try {
      const result = await takeBody(api.POST('/api/v3/jobs/{job_id}/frames/requeue', { params, body }));
      notifications.show(describeRequeue(result.frames, result.left_alone));
      void reading.read();
    } catch (cause) {
      notifications.show({ level: 'error', text: `Not requeued: ${toRequestError(cause).message}` });
    }
  }

  const anyThumb = computed(() => {
    void table.pulse.value;
    for (const row of table.values()) if (row.thumb !== '') return true;
    return false;
  });

  return { table, jobId, reading, files, outputs, output, anyThumb, applyUpdate, turnTo, showOutput, requeue };
});

function describeRequeue(
  frames: readonly number[],
  leftAlone: readonly { readonly frame: number; readonly reason: string }[],
): { level: 'success' | 'warning'; text: string } {
  const done = `${counted(frames.length, 'frame')} will be rendered again: ${formatFrames(frames)}.`;
  const first = leftAlone[0];
  if (!first) return { level: 'success', text: done };
  const refused = `${counted(leftAlone.length, 'frame')} left alone; ${first.frame}: ${first.reason}.`;
  return { level: 'warning', text: `${done} ${refused}` };
}
