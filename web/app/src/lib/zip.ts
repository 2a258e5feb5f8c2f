// Archives as .zip, without compression: pictures are compressed already. The format is that of PKWARE's APPNOTE 6.3.

/** What the fields of the format can count, and the largest archive they can describe. */
const MOST_ENTRIES = 0xffff;
const MOST_BYTES = 0xffff_ffff;
/** Names are in UTF-8. */
const UTF8 = 0x0800;
const VERSION = 20;
const LOCAL_HEADER = 30;
const DIRECTORY_ENTRY = 46;
const DIRECTORY_END = 22;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  return value;
});

/** The checksum of the format. */
export function crc32(bytes: Uint8Array): number {
  let value = 0xffff_ffff;
  for (const byte of bytes) value = (value >>> 8) ^ (CRC_TABLE[(value ^ byte) & 0xff] ?? 0);
  return (value ^ 0xffff_ffff) >>> 0;
}

/** Two 16-bit numbers: time and date as MS-DOS had them, local and in steps of two seconds. It knows no year before 1980. */
export function dosTime(at: Date): [time: number, date: number] {
  if (at.getFullYear() < 1980) return [0, (1 << 5) | 1];
  const time = (at.getHours() << 11) | (at.getMinutes() << 5) | (at.getSeconds() >> 1);
  return [time, ((at.getFullYear() - 1980) << 9) | ((at.getMonth() + 1) << 5) | at.getDate()];
}

/** Puts files into an archive, one after the other. What was added is kept as blobs, which a browser may put on disk. */
export class ZipWriter {
  private readonly parts: Blob[] = [];
  private readonly directory: Uint8Array<ArrayBuffer>[] = [];
  private readonly names = new Set<string>();
  private size = 0;

  /** How many files are in it. */
  get entries(): number {
    return this.directory.length;
  }

  /** Adds a file. Throws when the name is taken, or the archive would become larger than the format allows. */
  add(name: string, data: Uint8Array<ArrayBuffer>, at: Date): void {
    if (this.names.has(name)) throw new Error(`The archive already has a file "${name}".`);
    const path = new TextEncoder().encode(name);
    const end = this.size + LOCAL_HEADER + path.length + data.length;
    if (this.entries >= MOST_ENTRIES || end > MOST_BYTES) throw new Error('The archive would be too large. Choose fewer files.');
    // What a file's header and its entry in the directory have in common.
    const shared = new DataView(new ArrayBuffer(26));
    const [time, date] = dosTime(at);
    for (const [place, value] of [[0, VERSION], [2, UTF8], [6, time], [8, date], [22, path.length]] as const) shared.setUint16(place, value, true);
    for (const [place, value] of [[10, crc32(data)], [14, data.length], [18, data.length]] as const) shared.setUint32(place, value, true);
    const common = new Uint8Array(shared.buffer);

    const local = new Uint8Array(LOCAL_HEADER + path.length);
    new DataView(local.buffer).setUint32(0, 0x0403_4b50, true);
    local.set(common, 4);
    local.set(path, LOCAL_HEADER);
    const entry = new Uint8Array(DIRECTORY_ENTRY + path.length);
    const view = new DataView(entry.buffer);
    view.setUint32(0, 0x0201_4b50, true);
    view.setUint16(4, VERSION, true);
    entry.set(common, 6);
    view.setUint32(42, this.size, true);
    entry.set(path, DIRECTORY_ENTRY);

    this.names.add(name);
    this.directory.push(entry);
    this.parts.push(new Blob([local, data]));
    this.size = end;
  }

  /** The archive with all that was added. */
  finish(): Blob {
    const length = this.directory.reduce((sum, entry) => sum + entry.length, 0);
    if (this.size + length > MOST_BYTES) throw new Error('The archive would be too large. Choose fewer files.');
    const end = new DataView(new ArrayBuffer(DIRECTORY_END));
    end.setUint32(0, 0x0605_4b50, true);
    end.setUint16(8, this.entries, true);
    end.setUint16(10, this.entries, true);
    end.setUint32(12, length, true);
    end.setUint32(16, this.size, true);
    return new Blob([...this.parts, ...this.directory, end.buffer], { type: 'application/zip' });
  }
}
