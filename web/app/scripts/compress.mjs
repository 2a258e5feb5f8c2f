// Compresses what was built, once and well, so that the manager only has to hand it out.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const KINDS = /\.(?:js|css|html|svg|json|txt)$/;
/** Below this many bytes there is nothing to gain. */
const LEAST = 1024;

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !KINDS.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const content = readFileSync(path);
  if (content.length < LEAST) continue;
  const text = { [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  const results = { br: brotliCompressSync(content, { params: text }), gz: gzipSync(content, { level: 9 }) };
  for (const [end, result] of Object.entries(results)) {
    if (result.length < content.length) writeFileSync(`${path}.${end}`, result);
  }
}
