import { describe, expect, it } from 'vitest';
import { RequestError } from '@/api/client';
import { useReading } from './reading';

describe('useReading', () => {
  it('turns many wishes during a read into one more read', async () => {
    let reads = 0;
    const reading = useReading(async () => {
      reads++;
      await Promise.resolve();
    });
    const first = reading.read();
    void reading.read();
    void reading.read();
    await first;
    expect(reads).toBe(2);
    await reading.read();
    expect(reads).toBe(3);
  });

  it('keeps what it has when a later read fails, and says why', async () => {
    let fail = false;
    const reading = useReading(async () => {
      if (fail) throw new RequestError('away', 0);
    });
    await reading.read();
    fail = true;
    await reading.read();
    expect(reading.ready.value).toBe(true);
    expect(reading.error.value?.message).toBe('away');
    fail = false;
    await reading.read();
    expect(reading.error.value).toBeNull();
  });

  it('ignores an answer that came after a reset', async () => {
    let release = (): void => {};
    let applied = 0;
    const reading = useReading(async (wanted) => {
      await new Promise<void>((resolve) => (release = resolve));
      if (wanted()) applied++;
    });
    const read = reading.read();
    reading.reset();
    release();
    await read;
    expect(applied).toBe(0);
    expect(reading.ready.value).toBe(false);
  });
});
