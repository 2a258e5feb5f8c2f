import { describe, expect, it } from 'vitest';
import { CHUNK_LINES, LineBuffer, MOST_LINES } from './lineBuffer';

describe('LineBuffer', () => {
  it.each([
    [['a\nb\n'], 'a|b', undefined],
    [['a\nb'], 'a', 'b'],
    [['a', 'b', '\nc\n'], 'ab|c', undefined],
    [['a\r\nb\r\n'], 'a|b', undefined],
    [['\n\n'], '|', undefined],
    [['', 'x\n'], 'x', undefined],
  ])('%j', (parts, lines, open) => {
    const buffer = new LineBuffer();
    for (const part of parts) buffer.append(part);
    expect(buffer.all().flatMap((chunk) => chunk.lines.map((line) => line.text)).join('|')).toBe(lines);
    expect(buffer.unfinished()?.text).toBe(open);
  });

  it('keeps the newest ten thousand lines', () => {
    const buffer = new LineBuffer();
    for (let n = 0; n < MOST_LINES + 250; n++) buffer.append(`line ${n}\n`);
    expect(buffer.size).toBeLessThanOrEqual(MOST_LINES);
    expect(buffer.size).toBeGreaterThan(MOST_LINES - CHUNK_LINES);
    expect(buffer.size + buffer.dropped).toBe(MOST_LINES + 250);
    expect(buffer.text().endsWith(`line ${MOST_LINES + 249}`)).toBe(true);
  });

  it('changes only the last chunk', () => {
    const buffer = new LineBuffer();
    buffer.append('x\n'.repeat(CHUNK_LINES + 1));
    const revs = () => buffer.all().map((chunk) => chunk.rev);
    const [full] = revs();
    buffer.append('y\n');
    expect(revs()).toEqual([full, 2]);
  });

  it('cuts a line that nobody can read', () => {
    const buffer = new LineBuffer();
    buffer.append(`${'x'.repeat(100_000)}\n`);
    expect(buffer.text().length).toBeLessThan(4100);
    expect(buffer.text()).toContain('100000 characters');
  });
});
