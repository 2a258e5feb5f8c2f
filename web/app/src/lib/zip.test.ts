import { describe, expect, it } from 'vitest';
import { ZipWriter, crc32, dosTime } from './zip';

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

describe('parts of the format', () => {
  it.each([['', 0], ['123456789', 0xcbf4_3926], ['a', 0xe8b7_be43]])('checksum of %o', (text, expected) => {
    expect(crc32(bytes(text))).toBe(expected);
  });
  it('time in steps of two seconds, from 1980 on', () => {
    expect(dosTime(new Date(2026, 1, 3, 14, 5, 31))).toEqual([(14 << 11) | (5 << 5) | 15, (46 << 9) | (2 << 5) | 3]);
    expect(dosTime(new Date(1970, 0, 1))).toEqual([0, 33]);
  });
});

/** Reads an archive from its end, as unpackers do. The browser tests have Python read one. */
async function unpack(archive: Blob): Promise<{ name: string; text: string; crc: number; at: [number, number] }[]> {
  const data = await archive.arrayBuffer();
  const view = new DataView(data);
  const decode = (from: number, length: number): string => new TextDecoder().decode(data.slice(from, from + length));
  const end = data.byteLength - 22;
  expect(view.getUint32(end, true)).toBe(0x0605_4b50);
  const files = [];
  let entry = view.getUint32(end + 16, true);
  for (let place = 0; place < view.getUint16(end + 10, true); place++) {
    expect(view.getUint32(entry, true)).toBe(0x0201_4b50);
    const [crc, packed, size] = [16, 20, 24].map((field) => view.getUint32(entry + field, true));
    const nameLength = view.getUint16(entry + 28, true);
    const local = view.getUint32(entry + 42, true);
    expect(packed).toBe(size);
    expect(view.getUint16(entry + 10, true)).toBe(0);
    expect(view.getUint32(local, true)).toBe(0x0403_4b50);
    // The header in front of the file says the same as the directory.
    expect(new Uint8Array(data, local + 4, 26)).toEqual(new Uint8Array(data, entry + 6, 26));
    const name = decode(entry + 46, nameLength);
    expect(decode(local + 30, nameLength)).toBe(name);
    files.push({ name, text: decode(local + 30 + nameLength, size ?? 0), crc: crc ?? 0, at: [view.getUint16(entry + 12, true), view.getUint16(entry + 14, true)] as [number, number] });
    entry += 46 + nameLength;
  }
  expect(entry).toBe(end);
  return files;
}

describe('an archive', () => {
  it('has the files that were added', async () => {
    const zip = new ZipWriter();
    const at = new Date(2026, 0, 2, 3, 4, 6);
    zip.add('000001.jpg', bytes('123456789'), at);
    zip.add('größer/0002.jpg', bytes('second, longer'), at);
    zip.add('empty', bytes(''), at);
    expect(zip.entries).toBe(3);
    expect(await unpack(zip.finish())).toEqual([
      { name: '000001.jpg', text: '123456789', crc: 0xcbf4_3926, at: dosTime(at) },
      { name: 'größer/0002.jpg', text: 'second, longer', crc: crc32(bytes('second, longer')), at: dosTime(at) },
      { name: 'empty', text: '', crc: 0, at: dosTime(at) },
    ]);
  });

  it('without files is an archive, too', async () => expect((await new ZipWriter().finish().arrayBuffer()).byteLength).toBe(22));

  it('has each name once', () => {
    const zip = new ZipWriter();
    zip.add('a', bytes('1'), new Date());
    expect(() => zip.add('a', bytes('2'), new Date())).toThrow('already has');
  });
});
