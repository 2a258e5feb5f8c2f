// Names with markup, quotes, letters from right to left and 255 characters, on every page and on screens of every width.
// Needs a running manager.
//
//   FLAMENCO_URL        the manager, http://localhost:8080 if not given
//   FLAMENCO_ARTIFACTS  folder for screenshots
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DESKTOP, launch, openPage, visit } from './browser.mjs';
import { ask, firstTask, jobStatus, sleepJob, submit, until } from './manager.mjs';

const origin = process.env.FLAMENCO_URL ?? 'http://localhost:8080';
const artifacts = process.env.FLAMENCO_ARTIFACTS ?? 'test-artifacts';

const MARKUP = `<img src=x onerror="window.injected = 1">"'&amp;`;
const LONG = MARKUP + 'n'.repeat(255 - MARKUP.length);
// The last character turns what follows around, and nothing in the name turns it back.
const TURNED = 'שלום 🎬 \u202e';
const SCREENS = [[360, 740], [768, 1024], [1280, 800], [3840, 2160]];

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let problems;
/** @type {string[]} */
let paths;
/** @type {{ id: string, name: string }} */
let turned;
/** @type {string[]} */
const workers = [];
/** @type {string} */
let tag;

/** @param {string} path @param {object} body */
const post = (path, body) => ask(origin, path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

before(async () => {
  browser = await launch();
  ({ page, problems } = await openPage(browser, origin));
  page.setDefaultTimeout(15_000);
  tag = (await post('/api/v3/worker-mgt/tags', { name: MARKUP, description: LONG })).id;
  for (const name of [LONG, TURNED]) {
    const { uuid } = await post('/api/v3/worker/register-worker', { secret: 'of-the-test', name, platform: 'linux', supported_task_types: ['misc'] });
    workers.push(uuid);
  }
  const metadata = { 'user.name': LONG, project: LONG, shot: LONG, [MARKUP]: LONG };
  const long = await submit(origin, { ...sleepJob(LONG, 1), metadata, settings: { message: LONG, sleep_duration_seconds: 0, sleep_repeats: 1 } });
  turned = await submit(origin, sleepJob(TURNED, 1));
  for (const { id } of [long, turned]) await until('the job completes', async () => (await jobStatus(origin, id)) === 'completed');
  const task = await firstTask(origin, long.id);
  const parts = ['', `/${task}`, '/frames', '/preview', '/workers', '/settings', '/details', '/history'];
  paths = [
    '/', '/jobs', `/jobs?job=${long.id}`, `/jobs?job=${turned.id}`, `/jobs/${turned.id}`, ...parts.map((part) => `/jobs/${long.id}${part}`),
    '/shots', '/workers', ...workers.flatMap((id) => [`/workers?worker=${id}`, `/workers/${id}`]), '/tags', '/last-rendered', '/settings#variables',
  ];
});
after(async () => {
  await page?.screenshot({ path: `${artifacts}/with-any-name-last.png` }).catch(() => {});
  await browser?.close();
  for (const id of workers) await ask(origin, `/api/v3/worker-mgt/workers/${id}`, { method: 'DELETE' });
  if (tag) await ask(origin, `/api/v3/worker-mgt/tag/${tag}`, { method: 'DELETE' });
});

/** What is wrong with the page as it is: markup that became elements, and text that makes the page wider than the screen. */
function faults() {
  return page.evaluate(() => {
    const found = [];
    if ('injected' in window) found.push('a name ran as a script');
    if (document.querySelector('img[src="x"]')) found.push('a name became an element');
    const content = document.querySelector('#content');
    const wide = document.documentElement.scrollWidth > innerWidth || (content && content.scrollWidth > content.clientWidth);
    if (wide) found.push('wider than the screen');
    return found;
  });
}

for (const [width, height] of SCREENS) {
  test(`every name on every page, ${width} pixels wide`, async () => {
    await page.setViewportSize({ width: width ?? 0, height: height ?? 0 });
    for (const path of paths) {
      await visit(page, `${origin}/app${path}`);
      await page.waitForLoadState('networkidle').catch(() => {});
      assert.deepEqual(await faults(), [], path);
    }
  });
}

test('a name that turns around what follows does so only to itself', async () => {
  await page.setViewportSize(DESKTOP);
  await visit(page, `${origin}/app/jobs?job=${turned.id}`);
  const pane = page.getByRole('region', { name: /^Job / });
  await pane.getByRole('button', { name: /^Delete/ }).click();
  const title = page.getByRole('alertdialog').getByRole('heading');
  assert.equal(await title.innerText(), `Delete job “\u2068${TURNED}\u2069”?`);
  await page.keyboard.press('Escape');
});

test('all along: no error, nothing refused by the policy', () => {
  assert.deepEqual(problems, []);
});
