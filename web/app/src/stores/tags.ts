// The worker tags, who has them, and what can be done with them.
import { defineStore } from 'pinia';
import { computed, shallowRef } from 'vue';
import { api, take, takeBody } from '@/api/client';
import type { TagUpdate, WorkerTag, WorkerUpdate } from '@/api/types';
import { isOver } from '@/lib/actions';
import { describeOutcome, runBulk } from '@/lib/bulk';
import { quoted } from '@/lib/names';
import { compareKeys, naturalKey } from '@/lib/naturalSort';
import { useJobs } from './jobs';
import { useNotifications } from './notifications';
import { useReading } from './reading';
import { useWorkers, type WorkerRow } from './workers';

export interface Tag {
  readonly id: string;
  readonly name: string;
  readonly description: string;
}

function tagOf(tag: WorkerTag): Tag {
  return { id: tag.id ?? '', name: tag.name, description: tag.description ?? '' };
}

function byName(tags: readonly Tag[]): Tag[] {
  return [...tags].sort((a, b) => compareKeys(naturalKey(a.name), naturalKey(b.name)));
}

export const useTags = defineStore('tags', () => {
  const workers = useWorkers();
  const jobs = useJobs();
  const notifications = useNotifications();
  const list = shallowRef<readonly Tag[]>([]);
  /** The tags of each worker that has any. */
  const ofWorker = shallowRef<ReadonlyMap<string, readonly string[]>>(new Map());

  const members = computed(() => {
    const counts = new Map<string, number>();
    for (const ids of ofWorker.value.values()) for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    return counts;
  });

  /** How many jobs that are not over yet only go to workers with the tag. */
  const openJobs = computed(() => {
    void jobs.table.pulse.value;
    const counts = new Map<string, number>();
    for (const { tag, status } of jobs.table.values()) if (tag !== '' && !isOver(status)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
    return counts;
  });

  const reading = useReading(async (wanted) => {
    const { tags } = await takeBody(api.GET('/api/v3/worker-mgt/tags'));
    const read = byName(tags.map(tagOf));
    const memberships = new Map<string, string[]>();
    // The list of workers does not say which tags they have, but it can be asked for those with a tag.
    await Promise.all(
      read.map(async (tag) => {
        const params = { query: { tag: [tag.id] } };
        const answer = await takeBody(api.GET('/api/v3/worker-mgt/workers', { params }));
        for (const { id } of answer.workers) memberships.set(id, [...(memberships.get(id) ?? []), tag.id]);
      }),
    );
    if (!wanted()) return;
    list.value = read;
    ofWorker.value = memberships;
    tellWorkers();
  });

  /** Puts the names of the tags into the table of workers. */
  function tellWorkers(): void {
    for (const row of [...workers.table.values()]) {
      const ids = ofWorker.value.get(row.id) ?? [];
      const tags = list.value.filter((tag) => ids.includes(tag.id)).map((tag) => tag.name).join(', ');
      if (row.tags !== tags) workers.gather(row.id, { tags });
    }
  }

  function applyTag({ tag, was_deleted: deleted }: TagUpdate): void {
    const others = list.value.filter((other) => other.id !== tag.id);
    list.value = deleted ? others : byName([...others, tagOf(tag)]);
    tellWorkers();
  }

  function applyWorker(update: WorkerUpdate): void {
    if (!update.tag_ids) return;
    ofWorker.value = new Map(ofWorker.value).set(update.id, update.tag_ids);
    tellWorkers();
  }

  /** Creates a tag. Throws a RequestError when that is not possible. */
  async function create(name: string, description: string): Promise<void> {
    const tag = await takeBody(api.POST('/api/v3/worker-mgt/tags', { body: { name: name.trim(), description: description.trim() } }));
    applyTag({ tag });
  }

  /** Renames a tag and replaces its description. Throws a RequestError when that is not possible. */
  async function update(id: string, name: string, description: string): Promise<void> {
    const body = { name: name.trim(), description: description.trim() };
    await take(api.PUT('/api/v3/worker-mgt/tag/{tag_id}', { params: { path: { tag_id: id } }, body }));
    applyTag({ tag: { id, ...body } });
  }

  /** Deletes a tag. Throws a RequestError when that is not possible. */
  async function remove(id: string): Promise<void> {
    await take(api.DELETE('/api/v3/worker-mgt/tag/{tag_id}', { params: { path: { tag_id: id } } }));
    applyTag({ tag: { id, name: '' }, was_deleted: true });
  }

  /** Gives a tag to workers or takes it from them, and reports what came of it. */
  async function assign(tag: Tag, rows: readonly Pick<WorkerRow, 'id' | 'name'>[], has: boolean): Promise<void> {
    const asked = rows.map(({ id, name }) => ({ id, name }));
    const outcome = await runBulk(asked, async ({ id }) => {
      // Read first: what this page knows may be old, and the whole list is replaced.
      const params = { path: { worker_id: id } };
      const worker = await takeBody(api.GET('/api/v3/worker-mgt/workers/{worker_id}', { params }));
      const others = (worker.tags ?? []).map((one) => one.id ?? '').filter((one) => one !== '' && one !== tag.id);
      const ids = has ? [...others, tag.id] : others;
      await take(api.POST('/api/v3/worker-mgt/workers/{worker_id}/settags', { params, body: { tag_ids: ids } }));
      ofWorker.value = new Map(ofWorker.value).set(id, ids);
    });
    tellWorkers();
    const done = has ? `Gave the tag ${quoted(tag.name)} to` : `Took the tag ${quoted(tag.name)} from`;
    notifications.show(describeOutcome(outcome, 'worker', (subject) => `${done} ${subject}`));
  }

  return { list, ofWorker, members, openJobs, reading, applyTag, applyWorker, tellWorkers, create, update, remove, assign };
});
