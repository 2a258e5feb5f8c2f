import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FramePlace, JobFrame } from '@/api/types';
import { fakeManager, type FakeManager } from './fakeManager';
import { useFrames } from './frames';
import { useNotifications } from './notifications';

let manager: FakeManager;

beforeEach(() => {
  setActivePinia(createPinia());
  manager = fakeManager();
});
afterEach(() => vi.unstubAllGlobals());

const T = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const expected = (frame: number): FramePlace => ({ frame, state: 'expected', files: 0 });
const rendered = (frame: number, fields: Partial<FramePlace> = {}): FramePlace => ({
  frame, state: 'ok', files: 1, id: frame * 10, attempt: 1, render_ms: 100, rendered_at: T(frame), ...fields,
});
const file = (frame: number, fields: Partial<JobFrame> = {}): JobFrame => ({
  id: frame * 10, task: 't', frame, name: `${frame}.png`, path: `/r/${frame}.png`, state: 'ok', attempt: 1, rendered_at: T(frame), file_size: 5, ...fields,
});
const GRID = 'GET /api/v3/jobs/j/frames/grid';
const states = (store: ReturnType<typeof useFrames>) => [...store.table.values()].map((row) => `${row.frame} ${row.status}`);

async function opened(...places: FramePlace[]): Promise<ReturnType<typeof useFrames>> {
  manager.answer(GRID, { body: { places } });
  const store = useFrames();
  store.turnTo('j');
  await store.reading.read();
  return store;
}

describe('frames', () => {
  it('reads a place for each frame, page by page', async () => {
    const pages = [{ places: [rendered(1)], next_from: 2 }, { places: [expected(2)] }];
    manager.answer(GRID, async () => ({ body: pages.shift() }));
    const store = useFrames();
    store.turnTo('j');
    await store.reading.read();
    expect(states(store)).toEqual(['1 ok', '2 expected']);
    expect(manager.asked).toEqual([GRID, GRID]);
  });

  it('a frame that is rendered takes the place that was kept for it', async () => {
    const store = await opened(rendered(1), expected(2));
    const place = store.table.get('2');
    expect(store.applyUpdate({ job: 'j', frames: [file(2)], refresh: false })).toBe(false);
    expect(states(store)).toEqual(['1 ok', '2 ok']);
    expect(store.table.get('2')).toBe(place);
    expect(place?.name).toBe('2.png');
  });

  it('asks for another reading when more changed than an event says', async () => {
    const store = await opened(rendered(1));
    expect(store.applyUpdate({ job: 'j', frames: [], refresh: true })).toBe(true);
  });

  it('shows how far a frame is that is being rendered, until it is there', async () => {
    const store = await opened({ ...expected(1), state: 'rendering', progress: 10 }, expected(2), rendered(3));
    expect(store.table.get('1')?.percent).toBe(10);
    const progress = [{ frame: 1, percent: 42 }, { frame: 2, percent: 5 }, { frame: 3, percent: 5 }, { frame: 9, percent: 5 }];
    expect(store.applyUpdate({ job: 'j', frames: [], refresh: false, progress })).toBe(false);
    // The others are not being rendered, as far as this page knows.
    expect(['1', '2', '3', '9'].map((id) => store.table.get(id)?.percent)).toEqual([42, -1, -1, undefined]);
    store.applyUpdate({ job: 'j', frames: [file(1)], refresh: false });
    expect([store.table.get('1')?.status, store.table.get('1')?.percent]).toEqual(['ok', -1]);
  });

  it('paths are those of the viewer, also of files that an event tells of', async () => {
    const store = await opened(rendered(1), expected(2));
    const output = '/r/#.png';
    manager.answer('GET /api/v3/jobs/j/frames', { body: { frames: [file(1, { output, platform_path: 'R:\\out\\1.png' })] } });
    await store.files.read();
    expect(store.table.get('1')?.path).toBe('R:\\out\\1.png');
    store.applyUpdate({ job: 'j', frames: [file(2, { output })], refresh: false });
    expect(store.table.get('2')?.path).toBe('R:\\out\\2.png');
    store.applyUpdate({ job: 'j', frames: [file(2, { output: '/elsewhere/#.png', path: '/elsewhere/2.png', attempt: 2, rendered_at: T(9) })], refresh: false });
    expect(store.table.get('2')?.path).toBe('/elsewhere/2.png');
  });

  it('ignores the events of another job', async () => {
    const store = await opened(expected(1));
    expect(store.applyUpdate({ job: 'other', frames: [file(1)], refresh: true })).toBe(false);
    expect(states(store)).toEqual(['1 expected']);
  });

  it('an event of an older rendering does not replace a newer one', async () => {
    const store = await opened(rendered(1, { attempt: 2, rendered_at: T(50) }));
    store.applyUpdate({ job: 'j', frames: [file(1, { state: 'broken' })], refresh: false });
    expect(states(store)).toEqual(['1 ok']);
  });

  it('an answer that is older than an event does not take it back', async () => {
    const store = await opened(rendered(1));
    store.applyUpdate({ job: 'j', frames: [file(1, { attempt: 2, rendered_at: T(60), render_ms: 7 })], refresh: false });
    await store.reading.read();
    expect(store.table.get('1')).toMatchObject({ attempt: 2, renderMs: 7 });
  });

  it('a frame that is being rendered again is not shown as done', async () => {
    const store = await opened(rendered(1));
    manager.answer(GRID, { body: { places: [rendered(1, { state: 'rendering' })] } });
    await store.reading.read();
    expect(states(store)).toEqual(['1 rendering']);
  });

  it('keeps what the file told when the places are read again', async () => {
    const store = await opened(rendered(1));
    store.applyUpdate({ job: 'j', frames: [file(1)], refresh: false });
    await store.reading.read();
    expect(store.table.get('1')).toMatchObject({ name: '1.png', fileSize: 5 });
  });

  it('forgets a frame that is no more, and all of them with another job', async () => {
    const store = await opened(rendered(1), rendered(2));
    manager.answer(GRID, { body: { places: [rendered(2)] } });
    await store.reading.read();
    expect(states(store)).toEqual(['2 ok']);
    store.turnTo('k');
    expect(states(store)).toEqual([]);
    expect(store.reading.ready).toBe(false);
  });

  it('reads names and sizes of the newest files for who wants to see them', async () => {
    const store = await opened(rendered(1, { files: 2 }));
    manager.answer('GET /api/v3/jobs/j/frames', { body: { frames: [file(1, { id: 9, name: 'old.png' }), file(1)] } });
    await store.files.read();
    expect(store.table.get('1')).toMatchObject({ name: '1.png', files: 2 });
  });

  describe('with two outputs', () => {
    const FILES = 'GET /api/v3/jobs/j/frames';
    const beauty = (frame: number, fields: Partial<JobFrame> = {}) => file(frame, { output: '/r/b##.png', name: `b${frame}.png`, ...fields });
    const alpha = (frame: number) => file(frame, { id: frame * 10 + 1, output: '/r/a##.png', name: `a${frame}.png`, rendered_at: T(frame + 30) });
    const names = (store: ReturnType<typeof useFrames>) => [...store.table.values()].map((row) => row.name);

    async function both(): Promise<ReturnType<typeof useFrames>> {
      const store = await opened(rendered(1, { id: 11, files: 2, rendered_at: T(31) }), rendered(2, { id: 21, files: 2, rendered_at: T(32) }), expected(3));
      manager.answer(FILES, { body: { frames: [beauty(1), alpha(1), beauty(2), alpha(2)] } });
      await store.files.read();
      return store;
    }

    it('knows them, and shows the newest file of each frame', async () => {
      const store = await both();
      expect(store.outputs).toEqual(['/r/a##.png', '/r/b##.png']);
      expect(names(store)).toEqual(['a1.png', 'a2.png', '']);
    });

    it('shows the files of the one that is chosen, and all again', async () => {
      const store = await both();
      store.showOutput('/r/b##.png');
      await store.reading.read();
      expect(names(store)).toEqual(['b1.png', 'b2.png', '']);
      expect(states(store)).toEqual(['1 ok', '2 ok', '3 expected']);
      store.showOutput('');
      await store.reading.read();
      await store.files.read();
      expect(names(store)).toEqual(['a1.png', 'a2.png', '']);
    });

    it('with an address that names one from the start, too', async () => {
      manager.answer(GRID, { body: { places: [rendered(1, { id: 11, files: 2 })] } });
      manager.answer(FILES, { body: { frames: [beauty(1), alpha(1)] } });
      const store = useFrames();
      store.turnTo('j');
      store.showOutput('/r/b##.png');
      await store.reading.read();
      await store.files.read();
      expect(names(store)).toEqual(['b1.png']);
    });

    it('an event of the other output leaves the rows alone', async () => {
      const store = await both();
      store.showOutput('/r/b##.png');
      await store.reading.read();
      store.applyUpdate({ job: 'j', frames: [alpha(3), beauty(2, { attempt: 2, rendered_at: T(59), name: 'again.png' })], refresh: false });
      expect(names(store)).toEqual(['b1.png', 'again.png', '']);
      store.applyUpdate({ job: 'j', frames: [beauty(3)], refresh: false });
      expect(names(store)).toEqual(['b1.png', 'again.png', 'b3.png']);
    });
  });

  it('requeues frames as a range, and says what was left alone', async () => {
    const store = await opened(rendered(1), rendered(2), rendered(3));
    const left_alone = [{ frame: 9, reason: 'no task of this job renders this frame' }];
    manager.answer('POST /api/v3/jobs/j/frames/requeue', { body: { frames: [1, 2, 3], tasks: ['t'], left_alone } });
    await store.requeue([3, 1, 2, 9]);
    expect(manager.bodies).toEqual([{ frames: '1-3,9', reason: 'requested from web interface' }]);
    expect(useNotifications().list.at(-1)).toMatchObject({
      level: 'warning',
      text: '3 frames will be rendered again: 1-3. 1 frame left alone; 9: no task of this job renders this frame.',
    });
  });

  it('says so when frames were not requeued', async () => {
    const store = await opened(rendered(1));
    manager.answer('POST /api/v3/jobs/j/frames/requeue', { status: 422, body: { code: 422, message: 'nothing to render' } });
    await store.requeue([1]);
    expect(useNotifications().list.at(-1)).toMatchObject({ level: 'error', text: 'Not requeued: nothing to render' });
  });
});
