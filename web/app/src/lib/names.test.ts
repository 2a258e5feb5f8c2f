import { expect, it } from 'vitest';
import { isolated, quoted } from './names';

it.each(['shot 7', '<b>&amp;</b>', 'Größe “x” 🎬', '鏡', ''])('the name %s stays as it is', (name) => expect(isolated(name)).toBe(name));

it.each(['שלום', 'سلام 12', 'evil \u202egnp.exe', 'mark\u200f', '𞤀𞤣'])('the name %s keeps its direction to itself', (name) => {
  expect(isolated(name)).toBe(`\u2068${name}\u2069`);
});

it('quotation marks stand outside', () => expect(quoted('שלום')).toBe('"\u2068שלום\u2069"'));
