// Measures what a browser fetches for the first look at the jobs page, and fails above the budget.
import { readFileSync } from 'node:fs';
import { brotliCompressSync } from 'node:zlib';

const BUDGET = 250_000;
const dist = new URL('../dist/', import.meta.url);
/** @param {string} path */
const file = (path) => readFileSync(new URL(path, dist));

const html = file('index.html').toString();
const assets = [...html.matchAll(/(?:src|href)="\/app\/([^"]+\.(?:js|css|svg))"/g)].map((match) => match[1]);
const styles = assets.filter((path) => path.endsWith('.css')).map((path) => file(path).toString());
// The latin part is the only one that an English page asks for.
const fonts = styles.flatMap((css) => [...css.matchAll(/url\(\/app\/(assets\/inter-latin-wght-normal[^)]+\.woff2)\)/g)].map((match) => match[1]));

const sizes = new Map([['index.html', brotliCompressSync(html).length]]);
for (const path of assets) sizes.set(path, brotliCompressSync(file(path)).length);
// Already compressed.
for (const path of fonts) sizes.set(path, file(path).length);

let total = 0;
for (const [path, size] of sizes) {
  total += size;
  console.log(`${(size / 1000).toFixed(1).padStart(8)} kB  ${path}`);
}
console.log(`${(total / 1000).toFixed(1).padStart(8)} kB  in all, of at most ${BUDGET / 1000} kB`);
if (fonts.length === 0) {
  console.error('The font is missing: the measure would be too good.');
  process.exitCode = 1;
}
if (total > BUDGET) {
  console.error('The first load is over the budget.');
  process.exitCode = 1;
}
