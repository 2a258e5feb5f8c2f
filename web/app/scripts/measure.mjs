// Measures the web app in a browser, on a manager of its own, and prints a table:
//   - how soon the jobs page can be used with 10,000 jobs (a real manager holds them),
//   - the longest frame while 100,000 tasks are scrolled (a real job of a real manager),
//   - the longest frame while 500 task updates a second arrive (a made-up feed: the real events, sent to the real page by
//     the browser's own socket handler, because no manager runs 500 tasks a second on a small machine),
//   - the longest frame while the log of a task with 100 MB is opened and searched,
//   - what part of a processor the browser takes while the workers page shows 100 workers that report every 5 seconds,
//   - how many pictures of 1920 × 1080 a second the manager makes thumbnails of, and how much they take.
//
// Usage: npm run measure            after `npm run build`; for some of them, `npm run measure -- jobs tasks log workers pictures`
//   FLAMENCO_PROGRAMS  folder of flamenco-manager, ../../target/debug if not given
//   FLAMENCO_WEB       where the built app is served, if not by the manager itself (`vite preview`)
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { preview } from 'vite';
import { launch } from '../e2e/browser.mjs';
import { sleepJob, submit, until } from '../e2e/manager.mjs';
import { costOf, reportingWorkers } from './workers-load.mjs';

const app = fileURLToPath(new URL('..', import.meta.url));
const programs = resolve(process.env.FLAMENCO_PROGRAMS ?? join(app, '../../target/debug'));
const JOBS = Number(process.env.MEASURE_JOBS ?? 10_000);
const TASKS = Number(process.env.MEASURE_TASKS ?? 100_000);
const UPDATES = 500;
const LOG_MB = 100;
const PICTURES = 300;
const WORKERS = 100;
/** What this is asked to measure; nothing means all. */
const wanted = new Set(process.argv.slice(2));
const isWanted = (/** @type {string[]} */ ...parts) => wanted.size === 0 || parts.some((part) => wanted.has(part));
const folder = mkdtempSync(join(tmpdir(), 'flamenco-measure.'));

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((found, failed) => {
    const server = createServer().once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => found(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

const listen = `127.0.0.1:${await freePort()}`;
const direct = `http://${listen}`;
writeFileSync(join(folder, 'flamenco-manager.yaml'), `_meta: { version: 3 }\nmanager_name: Measures\nautodiscoverable: false\nshared_storage_path: ${folder}\nshaman: { enabled: false }\nscript_time_limit: 2m\n`);
/** @type {NodeJS.ProcessEnv} */
const env = { ...process.env, FLAMENCO_LISTEN: listen };
delete env.FLAMENCO_DATABASE;
delete env.FLAMENCO_SHARED_STORAGE;
const manager = spawn(join(programs, 'flamenco-manager'), { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
manager.stderr.pipe(createWriteStream(join(folder, 'manager.log')));

/** @type {[string, string][]} */
const table = [];
/** @param {string} what @param {string} value */
function note(what, value) {
  table.push([what, value]);
  console.error(`${what}: ${value}`);
}

/** A picture with as much in it as a render has: soft light, edges, and some grain. */
const PAINT = async () => {
  const canvas = new OffscreenCanvas(1920, 1080);
  const paint = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const sky = paint.createLinearGradient(0, 0, 0, 1080);
  sky.addColorStop(0, '#27476b');
  sky.addColorStop(1, '#d9a877');
  paint.fillStyle = sky;
  paint.fillRect(0, 0, 1920, 1080);
  for (let shape = 0; shape < 6000; shape++) {
    paint.fillStyle = `hsl(${Math.random() * 360} 45% ${20 + Math.random() * 60}% / 0.25)`;
    paint.beginPath();
    paint.ellipse(Math.random() * 1920, Math.random() * 1080, Math.random() * 40, Math.random() * 40, 0, 0, 7);
    paint.fill();
  }
  const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.85 });
  return [...new Uint8Array(await blob.arrayBuffer())];
};

/** Records the time between frames until told to stop. */
const RECORD = () => {
  /** @type {number[]} */
  const gaps = [];
  let before = performance.now();
  let on = true;
  const tick = (/** @type {number} */ now) => {
    gaps.push(now - before);
    before = now;
    if (on) requestAnimationFrame(tick);
  };
  requestAnimationFrame((now) => {
    before = now;
    requestAnimationFrame(tick);
  });
  Object.assign(window, {
    stopRecording: () => {
      on = false;
      gaps.sort((a, b) => a - b);
      return { worst: gaps.at(-1) ?? 0, p95: gaps[Math.floor(gaps.length * 0.95)] ?? 0, frames: gaps.length };
    },
  });
};

/** @type {import('playwright-core').Browser | undefined} */
let browser;
/** @type {import('vite').PreviewServer | undefined} */
let server;
try {
  await until('the manager answers', () => fetch(`${direct}/api/v3/version`).then((answer) => answer.ok, () => false));
  // A debug manager may serve the app of another folder; this is the one that was built here.
  process.env.FLAMENCO_URL = direct;
  server = await preview({ root: app, preview: { port: await freePort(), host: '127.0.0.1' }, logLevel: 'silent' });
  const origin = (server.resolvedUrls?.local[0] ?? '').replace(/\/app\/$/, '');

  browser = await launch();
  // First, while the manager has nothing else to do.
  if (isWanted('workers')) await workersPage(origin);
  if (isWanted('jobs')) await fill();
  const big = isWanted('tasks', 'log') ? await submit(direct, { ...sleepJob('A job of very many tasks', TASKS), priority: 1 }) : { id: '' };
  if (isWanted('jobs')) await jobsPage(origin);
  if (isWanted('tasks')) {
    await scrollTasks(origin, big.id);
    await feedTasks(origin, big.id);
  }
  if (isWanted('log')) await bigLog(origin, big.id);
  if (isWanted('pictures')) await thumbnails();
} finally {
  await browser?.close();
  await server?.close();
  manager.kill();
  await new Promise((ended) => (manager.exitCode === null ? manager.once('exit', ended) : ended(null)));
  rmSync(folder, { recursive: true, force: true });
}
console.log('\n| measure | value |\n|---|---|');
for (const [what, value] of table) console.log(`| ${what} | ${value} |`);

async function fill() {
  const started = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (next < JOBS) {
        const number = next++;
        await submit(direct, sleepJob(`shot ${String(number % 997).padStart(3, '0')} take ${number}`, 1));
      }
    }),
  );
  console.error(`${JOBS} jobs submitted in ${((performance.now() - started) / 1000).toFixed(0)} s`);
}

async function freshPage() {
  const context = await /** @type {import('playwright-core').Browser} */ (browser).newContext({ viewport: { width: 1440, height: 900 } });
  return context.newPage();
}

/** Loads the page three times, in a browser that knows nothing yet; until all jobs are there and a key does something. */
async function jobsPage(/** @type {string} */ origin) {
  /** @type {{ usable: number, asked: number, there: number, bytes: number }[]} */
  const times = [];
  for (let run = 0; run < 3; run++) {
    const page = await freshPage();
    await page.goto(`${origin}/app/jobs`, { waitUntil: 'commit' });
    const time = await page.evaluate(async (count) => {
      const turn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      while (!(Number(document.querySelector('[role=grid]')?.getAttribute('aria-rowcount')) > count)) await turn();
      const grid = /** @type {HTMLElement} */ (document.querySelector('[role=grid]'));
      grid.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }));
      while (!document.querySelector('[role=row][aria-selected=true]')) await turn();
      const usable = performance.now();
      const list = performance.getEntriesByType('resource').find((entry) => entry.name.endsWith('/api/v3/jobs'));
      const { requestStart = 0, responseEnd = 0, decodedBodySize = 0 } = /** @type {any} */ (list?.toJSON() ?? {});
      return { usable, asked: requestStart, there: responseEnd, bytes: decodedBodySize };
    }, JOBS);
    times.push(time);
    await page.context().close();
  }
  times.sort((a, b) => a.usable - b.usable);
  const middle = times[1];
  if (!middle) return;
  const seconds = (/** @type {number} */ ms) => `${(ms / 1000).toFixed(2)} s`;
  note(
    `jobs page with ${JOBS.toLocaleString('en')} jobs: usable after (median of 3)`,
    `${seconds(middle.usable)}; the list of ${(middle.bytes / 1e6).toFixed(1)} MB was asked for after ${seconds(middle.asked)} and there after ${seconds(middle.there)}`,
  );
}

/** @param {import('playwright-core').Page} page @param {string} what */
async function frames(page, what) {
  // @ts-expect-error Put there by RECORD.
  const { worst, p95, frames: count } = await page.evaluate(() => window.stopRecording());
  note(what, `worst frame ${worst.toFixed(0)} ms, 95 % below ${p95.toFixed(0)} ms (${count} frames)`);
}

/** @param {string} origin @param {string} job */
async function openTasks(origin, job) {
  const page = await freshPage();
  await page.goto(`${origin}/app/jobs/${job}`);
  await page.waitForFunction((count) => Number(document.querySelector('[role=grid][aria-label=Tasks]')?.getAttribute('aria-rowcount')) > count, TASKS, { timeout: 120_000 });
  await page.waitForTimeout(1000);
  return page;
}

async function scrollTasks(/** @type {string} */ origin, /** @type {string} */ job) {
  const page = await openTasks(origin, job);
  await page.evaluate(RECORD);
  await page.evaluate(async () => {
    const grid = /** @type {HTMLElement} */ (document.querySelector('[role=grid][aria-label=Tasks]'));
    const end = performance.now() + 6000;
    let step = 0;
    while (performance.now() < end) {
      // Small steps, and now and then a jump across the whole list.
      if (step++ % 60 === 59) grid.scrollTop = Math.random() * grid.scrollHeight;
      else grid.scrollTop += 180;
      await new Promise(requestAnimationFrame);
    }
  });
  await frames(page, `scrolling ${TASKS.toLocaleString('en')} tasks`);
  await page.context().close();
}

/** Nobody touches the page: what it takes is for keeping up with the reports. */
async function workersPage(/** @type {string} */ origin) {
  const workers = await reportingWorkers(direct, WORKERS);
  const page = await freshPage();
  await page.goto(`${origin}/app/workers`);
  await page.waitForFunction((count) => Number(document.querySelector('[role=grid]')?.getAttribute('aria-rowcount')) > count, WORKERS);
  // Until each worker has reported and the first lines are drawn.
  await page.waitForTimeout(12_000);
  const shown = await page.locator('[role=row] .spark').count();
  if (shown < 20) throw new Error(`only ${shown} lines of machines are shown`);
  const { mainThread, browser: all } = await costOf(/** @type {import('playwright-core').Browser} */ (browser), page, 30);
  note(`workers page while ${WORKERS} workers report every 5 s`, `${mainThread.toFixed(1)} % of a processor by the page (TaskDuration), ${all.toFixed(1)} % by all processes of the browser`);
  await page.context().close();
  workers.stop();
}

/** Events as the manager sends them, put into the page's own socket as if they had come over the network. */
async function feedTasks(/** @type {string} */ origin, /** @type {string} */ job) {
  const { tasks } = await (await fetch(`${direct}/api/v3/jobs/${job}/tasks`)).json();
  const page = await freshPage();
  /** @type {((message: string) => void) | undefined} */
  let send;
  await page.routeWebSocket(/socket\.io/, (socket) => {
    const upstream = socket.connectToServer();
    upstream.onMessage((message) => socket.send(message));
    send = (message) => socket.send(message);
  });
  await page.goto(`${origin}/app/jobs/${job}`);
  await page.waitForFunction((count) => Number(document.querySelector('[role=grid][aria-label=Tasks]')?.getAttribute('aria-rowcount')) > count, TASKS, { timeout: 120_000 });
  await until('the page has its socket', async () => send !== undefined, 10_000);
  await page.waitForTimeout(1500);
  await page.evaluate(RECORD);
  const end = Date.now() + 6000;
  const started = Date.now();
  let sent = 0;
  while (Date.now() < end) {
    const due = Math.floor(((Date.now() - started) / 1000) * UPDATES);
    for (; sent < due; sent++) {
      const task = tasks[Math.floor(Math.random() * tasks.length)];
      const status = ['active', 'completed', 'queued', 'failed'][sent % 4];
      const update = { id: task.id, job_id: job, name: task.name, updated: new Date().toISOString(), status, previous_status: task.status, activity: '', steps_completed: sent % 2, steps_total: 1 };
      send?.(`42${JSON.stringify(['/task', update])}`);
    }
    await new Promise((done) => setTimeout(done, 10));
  }
  await frames(page, `${Math.round(sent / 6)} task updates a second among ${TASKS.toLocaleString('en')} (made-up feed)`);
  const changed = await page.evaluate(() => document.querySelectorAll('.chips .chip').length);
  if (changed < 3) throw new Error('the updates did not reach the page');
  await page.context().close();
}

async function bigLog(/** @type {string} */ origin, /** @type {string} */ job) {
  const { tasks } = await (await fetch(`${direct}/api/v3/jobs/${job}/tasks?limit=1`)).json();
  const task = tasks[0].id;
  const file = join(folder, 'flamenco-manager-storage', `job-${job.slice(0, 4)}`, job, `task-${task}.txt`);
  mkdirSync(dirname(file), { recursive: true });
  const line = 'Fra:17 Mem:340.11M (Peak 355.60M) | Time:00:12.41 | Rendering 12 / 64 samples\n';
  const block = line.repeat(Math.ceil((1024 * 1024) / line.length));
  const out = createWriteStream(file);
  for (let mb = 0; mb < LOG_MB; mb++) out.write(mb === 3 ? `Error: the needle\n${block}` : block);
  await new Promise((done) => out.end(done));

  const page = await freshPage();
  await page.goto(`${origin}/app/jobs/${job}/${task}`);
  await page.waitForFunction(() => document.querySelector('[aria-label="Task log"]') !== null, undefined, { timeout: 120_000 });
  await page.evaluate(RECORD);
  await page.locator('[role=log] .chunk').first().waitFor({ timeout: 60_000 });
  await page.waitForTimeout(1500);
  await frames(page, `opening a log of ${LOG_MB} MB`);
  await page.getByRole('button', { name: 'Search the log' }).click();
  await page.getByLabel('Find in the log').fill('the needle');
  await page.evaluate(RECORD);
  const started = performance.now();
  await page.getByRole('button', { name: 'In the whole log' }).click();
  // Looking for a text would go through every line of the log with each frame, and be what is measured.
  await page.waitForFunction(() => document.querySelector('[aria-label="Hits in the whole log"] li') !== null, undefined, { timeout: 120_000 });
  await frames(page, `searching ${LOG_MB} MB of log, ${((performance.now() - started) / 1000).toFixed(1)} s`);
  await page.context().close();
}

/** As a worker sends them: eight at a time, each answered when its thumbnails are on disk. */
async function thumbnails() {
  const page = await freshPage();
  await page.goto('about:blank');
  const picture = Buffer.from(await page.evaluate(PAINT));
  await page.context().close();
  const job = await submit(direct, { ...sleepJob('A job with pictures', 1), priority: 100 });
  const [name, secret, types] = ['measure', 'a secret', ['misc']];
  const post = async (/** @type {string} */ path, /** @type {BodyInit} */ body, /** @type {Record<string, string>} */ headers) => {
    const answer = await fetch(`${direct}/api/v3/worker/${path}`, { method: 'POST', headers, body });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.headers.get('content-type')?.includes('json') ? answer.json() : undefined;
  };
  const json = { 'content-type': 'application/json' };
  const { uuid } = await post('register-worker', JSON.stringify({ name, secret, platform: 'linux', supported_task_types: types }), json);
  const as = { authorization: `Basic ${Buffer.from(`${uuid}:${secret}`).toString('base64')}` };
  await post('sign-on', JSON.stringify({ name, supported_task_types: types, software_version: '1' }), { ...json, ...as });
  await post('state-changed', JSON.stringify({ status: 'awake' }), { ...json, ...as });
  const task = await post('task', '', as);
  const started = performance.now();
  let next = 1;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (next <= PICTURES) {
        const of = new URLSearchParams({ frame: String(next), path: `/out/${next++}.jpg`, rendered_at: new Date().toISOString() });
        await post(`task/${task.uuid}/output-produced?${of}`, new Uint8Array(picture), { ...as, 'content-type': 'image/jpeg' });
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const files = join(folder, 'flamenco-manager-storage', `job-${job.id.slice(0, 4)}`, job.id);
  const made = readdirSync(files).filter((file) => file.startsWith('frame-'));
  const bytes = made.reduce((sum, file) => sum + statSync(join(files, file)).size, 0);
  if (made.length !== 2 * PICTURES) throw new Error(`${made.length} thumbnails of ${PICTURES} pictures`);
  note(`thumbnails of ${PICTURES} pictures of 1920 × 1080, ${(picture.length / 1000).toFixed(0)} kB each`, `${(PICTURES / seconds).toFixed(1)} pictures a second, ${(bytes / PICTURES / 1000).toFixed(1)} kB a frame in two sizes`);
}
