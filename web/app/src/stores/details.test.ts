import { describe, expect, it, vi } from 'vitest';
import { nextTick, shallowRef } from 'vue';
import { RequestError } from '@/api/client';
import { reconnections } from '@/live/feed';
import { useDetails } from './details';

const settle = async (): Promise<void> => {
  await nextTick();
  await new Promise((resolve) => setTimeout(resolve, 20));
};

describe('useDetails', () => {
  it('follows the id, and reads again when told that it is stale', async () => {
    const [id, stale] = [shallowRef('a'), shallowRef(0)];
    const fetch = vi.fn(async (wanted: string) => {
      await new Promise((resolve) => setTimeout(resolve));
      return `object ${wanted}`;
    });
    const { data } = useDetails(id, fetch, stale);
    await settle();
    expect(data.value).toBe('object a');
    id.value = 'b';
    await nextTick();
    expect(data.value).toBeNull();
    await settle();
    expect(data.value).toBe('object b');
    stale.value++;
    await settle();
    expect(fetch.mock.calls.map(([wanted]) => wanted)).toEqual(['a', 'b', 'b']);
    // What happened while the connection was lost is not told again.
    reconnections.value++;
    await settle();
    expect(fetch.mock.calls.length).toBe(4);
  });

  it('shows nothing for no id, and an error for an unknown one', async () => {
    const id = shallowRef('');
    const fetch = vi.fn(async () => {
      throw new RequestError('no such job', 404);
    });
    const { data, error } = useDetails(id, fetch);
    await settle();
    expect(fetch).not.toHaveBeenCalled();
    id.value = 'x';
    await settle();
    expect(data.value).toBeNull();
    expect(error.value?.status).toBe(404);
  });
});
