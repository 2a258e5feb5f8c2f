// Takes the pictures of README and manual: a manager and two workers of its own render real frames with Blender, and the
// pages are taken as they are. So the pictures stay true; run it again when the pages change.
//
// Usage: make screenshots
//   FLAMENCO_PROGRAMS  folder of both programs, ../../target/debug if not given
//   FLAMENCO_IMAGES    where the pictures go, ../manual/src/images if not given
import { execFile, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { preview } from 'vite';
import { launch } from '../e2e/browser.mjs';
import { freePort, jobStatus, submit, until, workers } from '../e2e/manager.mjs';

const app = fileURLToPath(new URL('..', import.meta.url));
const root = resolve(app, '../..');
const programs = resolve(process.env.FLAMENCO_PROGRAMS ?? join(root, 'target/debug'));
const images = resolve(process.env.FLAMENCO_IMAGES ?? join(root, 'web/manual/src/images'));
const SIZE = { width: 1280, height: 800 };
// The longest path of this is seen in the pictures, so it is a telling one.
const folder = mkdtempSync(join(tmpdir(), 'farm.'));

/** @type {import('node:child_process').ChildProcess[]} */
const children = [];

/** @param {string} program @param {string[]} args @param {string} home @param {Record<string, string>} more */
function start(program, args, home, more) {
  mkdirSync(join(folder, home), { recursive: true });
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, ...more };
  delete env.FLAMENCO_DATABASE;
  delete env.FLAMENCO_SHARED_STORAGE;
  const child = spawn(join(programs, program), args, { cwd: join(folder, home), env, stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.pipe(createWriteStream(join(folder, `${home}.log`)));
  children.push(child);
  return child;
}

/** @param {string} name @param {string} frames @param {number} chunk @param {object} more */
function renderJob(name, frames, chunk, more = {}) {
  const slug = name.replaceAll(' ', '-');
  return {
    name,
    type: 'simple-blender-render',
    priority: 50,
    submitter_platform: 'linux',
    metadata: { 'user.name': 'mira', project: 'Spring', shot: slug.slice(0, 10) },
    ...more,
    settings: {
      frames,
      chunk_size: chunk,
      render_output_root: join(folder, 'renders'),
      add_path_components: 0,
      render_output_path: `${folder}/renders/${slug}/######`,
      blendfile: join(folder, 'scene.blend'),
      fps: 24,
      format: 'PNG',
      image_file_extension: '.png',
      has_previews: false,
      scene: 'Scene',
    },
  };
}

/** @type {import('playwright-core').Browser | undefined} */
let browser;
/** @type {import('vite').PreviewServer | undefined} */
let server;
try {
  mkdirSync(images, { recursive: true });
  const scene = ['--background', '--factory-startup', '--python-exit-code', '1', '--python', join(root, 'cmd/xtask/src/demo/scene.py')];
  await promisify(execFile)('blender', [...scene, '--', join(folder, 'scene.blend'), '--frames', '48', '--size', '480x270']);

  const listen = `127.0.0.1:${await freePort()}`;
  const direct = `http://${listen}`;
  mkdirSync(join(folder, 'manager'));
  writeFileSync(
    join(folder, 'manager/flamenco-manager.yaml'),
    `_meta: { version: 3 }\nmanager_name: Studio farm\nautodiscoverable: false\nshared_storage_path: ${folder}\nshaman: { enabled: false }\n`,
  );
  start('flamenco-manager', [], 'manager', { FLAMENCO_LISTEN: listen });
  await until('the manager answers', () => fetch(`${direct}/api/v3/version`).then((answer) => answer.ok, () => false));
  for (const name of ['render-01', 'render-02']) {
    start('flamenco-worker', ['-manager', `${direct}/`], name, { FLAMENCO_HOME: join(folder, name), FLAMENCO_WORKER_NAME: name });
  }
  await until('both workers are awake', async () => (await workers(direct)).filter(({ status }) => status === 'awake').length === 2);
  await api(direct, '/api/v3/worker-mgt/tags', { name: 'gpu', description: 'Machines with a fast GPU' });
  const [first] = await workers(direct);
  const tags = await (await fetch(`${direct}/api/v3/worker-mgt/tags`)).json();
  await api(direct, `/api/v3/worker-mgt/workers/${first?.id}/settags`, { tag_ids: [tags.tags[0].id] });
  await api(direct, `/api/v3/worker-mgt/workers/${first?.id}/sleep-schedule`, { is_active: false, days_of_week: 'mo tu we th fr', start_time: '09:00', end_time: '18:00' });

  // One is done, one is being rendered, one waits, and one has failed.
  const done = await submit(direct, renderJob('010 forest lighting', '1-24', 4));
  const missing = renderJob('015 river comp', '1-8', 4, { priority: 60 });
  missing.settings.blendfile = join(folder, 'moved-away.blend');
  await submit(direct, missing);
  await until('the first job is done', async () => (await jobStatus(direct, done.id)) === 'completed', 600_000);
  const running = await submit(direct, renderJob('020 castle fx', '1-48', 3, { priority: 70 }));
  await submit(direct, renderJob('030 harbour layout', '1-24', 4, { priority: 30 }));
  const steps = async () => (await (await fetch(`${direct}/api/v3/jobs/${running.id}`)).json()).steps_completed;
  await until('half of a job is rendered', async () => (await steps()) >= 20, 600_000);

  process.env.FLAMENCO_URL = direct;
  server = await preview({ root: app, preview: { port: await freePort(), host: '127.0.0.1' }, logLevel: 'silent' });
  const origin = (server.resolvedUrls?.local[0] ?? '').replace(/\/app\/$/, '');
  browser = await launch();
  const page = await (await browser.newContext({ viewport: SIZE, deviceScaleFactor: 1.5, colorScheme: 'dark' })).newPage();
  const { tasks } = await (await fetch(`${direct}/api/v3/jobs/${running.id}/tasks?status=active`)).json();
  /** @type {[name: string, path: string][]} */
  const pages = [
    ['home', '/app/'],
    ['jobs', `/app/jobs?job=${running.id}`],
    ['job', `/app/jobs/${running.id}/${tasks[0]?.id ?? ''}`],
    ['frames', `/app/jobs/${running.id}/frames`],
    ['workers', '/app/workers'],
    ['worker', `/app/workers/${first?.id}`],
    ['settings', '/app/settings#failures'],
  ];
  for (const [name, path] of pages) {
    await page.goto(origin + path);
    await page.locator('[data-feed=connected]').waitFor({ state: 'attached' });
    await page.waitForLoadState('networkidle').catch(() => {});
    await page.evaluate(() => Promise.all([...document.images].map((image) => image.decode().catch(() => undefined))));
    // The machines report every five seconds.
    await page.waitForTimeout(name.startsWith('worker') ? 6000 : 1500);
    await page.mouse.move(0, 0);
    await page.screenshot({ path: join(images, `${name}.png`) });
    console.log(join(images, `${name}.png`));
  }
} finally {
  await browser?.close();
  await server?.close();
  // Workers first, so that they can sign off.
  for (const child of children.reverse()) {
    child.kill();
    await new Promise((ended) => (child.exitCode === null ? child.once('exit', ended) : ended(null)));
  }
  rmSync(folder, { recursive: true, force: true });
}

/** @param {string} origin @param {string} path @param {object} body */
async function api(origin, path, body) {
  const answer = await fetch(new URL(path, origin), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`POST ${path} answered ${answer.status}: ${await answer.text()}`);
}
