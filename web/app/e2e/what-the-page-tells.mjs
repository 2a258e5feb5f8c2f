// What the page says of what goes on: a worker that is blocked and let in again, a request that takes its time, a job that
// ends while nobody looks. Needs a running manager with a worker that has Blender.
//
//   FLAMENCO_URL        the manager, http://localhost:8080 if not given
//   FLAMENCO_ARTIFACTS  folder for screenshots
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, PHONE, picture, visit } from './browser.mjs';
import { ask, hopelessJob, idleWorker, jobStatus, remove, sleepJob, submit, until, workers } from './manager.mjs';

const origin = process.env.FLAMENCO_URL ?? 'http://localhost:8080';
const artifacts = process.env.FLAMENCO_ARTIFACTS ?? 'test-artifacts';

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {import('playwright-core').BrowserContext} */
let context;
/** @type {string[]} */
let problems;
/** @type {{ id: string, name: string }} */
let worker;

before(async () => {
  browser = await launch();
  ({ page, problems, context } = await openPage(browser, origin));
  page.setDefaultTimeout(15_000);
  const awake = (await workers(origin)).find(({ status }) => status === 'awake');
  assert.ok(awake, 'this test needs a worker that is awake');
  worker = awake;
});
after(async () => {
  await page?.screenshot({ path: `${artifacts}/what-the-page-tells-last.png` }).catch(() => {});
  await browser?.close();
});

/** @param {string} job */
const isBlocked = async (job) => (await ask(origin, `/api/v3/jobs/${job}/blocklist`)).some((/** @type {{ worker_id: string }} */ entry) => entry.worker_id === worker.id);
/** @param {string} job @param {string} status */
const wantStatus = (job, status) =>
  ask(origin, `/api/v3/jobs/${job}/setstatus`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ status, reason: 'browser test' }) });

test('a blocked worker is let in again; when that is refused, it stays in the list', async () => {
  // With somebody else left, tasks that failed wait for that one, and the job goes on.
  const other = await idleWorker(origin, 'never asks for a task');
  const job = await submit(origin, hopelessJob('Job that blocks', '/nowhere/to be found'));
  await visit(page, `${origin}/app/jobs/${job.id}/workers`);
  const list = page.getByRole('region', { name: 'Blocked workers' });
  const entry = list.getByRole('listitem').filter({ hasText: `${worker.name} gets no blender tasks, because some failed on it` });
  // It appears by itself: the page was open before the worker was blocked.
  await entry.waitFor({ timeout: 60_000 });
  assert.equal(await entry.getByRole('link', { name: worker.name }).getAttribute('href'), `/app/workers/${worker.id}`);
  // Nothing may be blocked anew while this looks.
  await wantStatus(job.id, 'pause-requested');
  await until('the job is paused', async () => (await jobStatus(origin, job.id)) === 'paused');

  const lift = entry.getByRole('button', { name: `Let ${worker.name} take blender tasks again` });
  const known = problems.length;
  const refusal = { status: 500, json: { code: 500, message: 'the disk of the manager is full' } };
  await page.route('**/blocklist', (route) => (route.request().method() === 'DELETE' ? route.fulfill(refusal) : route.continue()));
  await lift.click();
  await page.getByRole('alert').getByText('Still blocked: the disk of the manager is full').waitFor();
  assert.ok(await isBlocked(job.id));
  await entry.waitFor();
  await page.unroute('**/blocklist');
  assert.ok(problems.splice(known).every((problem) => problem.includes('500')));

  await lift.click();
  await page.getByText(`${worker.name} may take blender tasks of this job again.`).first().waitFor();
  await entry.waitFor({ state: 'detached' });
  assert.ok(!(await isBlocked(job.id)));
  if ((await workers(origin)).length === 2) await list.getByText('None: every worker may take tasks of this job.').waitFor();
  await picture(page, artifacts, 'block-lifted');

  await visit(page, `${origin}/app/tags`);
  await remove(origin, `/api/v3/jobs/${job.id}`);
  await remove(origin, `/api/v3/worker-mgt/workers/${other}`);
  await until('the job is gone', async () => (await jobStatus(origin, job.id).catch(() => 'gone')) === 'gone');
});

test('a request that takes its time is seen, and one that does not is not', async () => {
  /** @type {() => void} */
  let answer = () => {};
  const held = new Promise((release) => (answer = () => release(undefined)));
  await page.route('**/api/v3/worker-mgt/tags', async (route) => {
    await held;
    await route.continue();
  });
  // From the first moment of the page on: when a request was under way, and when that could be seen.
  await page.addInitScript(() => {
    const seen = { began: 0, shown: 0, now: false };
    Object.assign(window, { requestLine: seen });
    const look = () => {
      const line = document.querySelector('.top > .busy');
      seen.now = line?.classList.contains('on') ?? false;
      if (seen.now && seen.began === 0) seen.began = performance.now();
      if (line && seen.shown === 0 && Number(getComputedStyle(line).opacity) > 0) seen.shown = performance.now();
      if (!seen.now && seen.shown === 0) seen.began = 0;
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  // @ts-expect-error Put there by the script above.
  const line = () => page.evaluate(() => window.requestLine);
  await visit(page, `${origin}/app/tags`);
  await until('the line is seen', async () => (await line()).shown > 0, 10_000);
  const { began, shown } = await line();
  assert.ok(shown - began >= 200, `seen ${Math.round(shown - began)} ms after the request began`);
  answer();
  await until('the line goes', async () => !(await line()).now, 10_000);
  await page.unroute('**/api/v3/worker-mgt/tags');
});

test('the end of a job is told on the desktop to who asked for that one, and only while nobody looks', async () => {
  await context.grantPermissions(['notifications'], { origin });
  await page.addInitScript(() => {
    /** @type {Notification[]} */
    const told = [];
    const Real = window.Notification;
    class Recorded extends Real {
      /** @param {string} title @param {NotificationOptions} [options] */
      constructor(title, options) {
        super(title, options);
        told.push(this);
      }
    }
    Object.assign(window, { Notification: Recorded, told });
    // A page in the background.
    let away = false;
    Object.defineProperty(document, 'hidden', { get: () => away });
    Object.assign(window, { lookAway: (/** @type {boolean} */ now) => (away = now) });
  });
  const unwatched = await submit(origin, sleepJob('Job nobody asked about', 1));
  const job = await submit(origin, sleepJob('Job to hear of', 2));
  await visit(page, `${origin}/app/jobs/${job.id}`);
  const bell = page.getByRole('button', { name: 'Tell me on the desktop when this job ends' });
  assert.equal(await bell.getAttribute('aria-pressed'), 'false');
  await bell.click();
  await page.locator('[aria-label="Tell me on the desktop when this job ends"][aria-pressed=true]').waitFor();
  // Asked for means asked for, also after a reload.
  await visit(page, `${origin}/app/jobs/${job.id}`);
  await page.locator('[aria-label="Tell me on the desktop when this job ends"][aria-pressed=true]').waitFor();
  // @ts-expect-error Put there by the script above.
  await page.evaluate(() => window.lookAway(true));
  for (const { id } of [unwatched, job]) await until('the job completes', async () => (await jobStatus(origin, id)) === 'completed');
  // @ts-expect-error Put there by the script above.
  const told = () => page.evaluate(() => window.told.map((/** @type {Notification} */ notice) => notice.body));
  await until('it is told', async () => (await told()).length > 0, 10_000);
  assert.deepEqual(await told(), ['Job "Job to hear of" is complete.']);
  await bell.waitFor({ state: 'detached' });

  // Whoever clicks it wants to see the job.
  await page.getByRole('link', { name: 'Tags' }).click();
  await page.waitForURL(/\/app\/tags$/);
  // @ts-expect-error Put there by the script above.
  await page.evaluate(() => window.told[0].onclick());
  await page.waitForURL(new RegExp(`/app/jobs/${job.id}$`));
});

test('the theme follows the system until somebody chooses', async () => {
  await visit(page, `${origin}/app/tags`);
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    await page.emulateMedia({ colorScheme });
    await until(`the page is ${colorScheme}`, async () => (await theme()) === colorScheme, 5000);
  }
  await page.getByRole('button', { name: 'Switch to the light theme' }).click();
  assert.equal(await theme(), 'light');
  await visit(page, `${origin}/app/tags`);
  assert.equal(await theme(), 'light', 'the choice is remembered');
  await page.getByRole('button', { name: 'Switch to the dark theme' }).click();
  assert.equal(await theme(), 'dark');
});

test('the wall view is found, and left again', async () => {
  await visit(page, `${origin}/app/`);
  await page.getByRole('link', { name: 'Wall view' }).click();
  await page.waitForURL(/wall=1/);
  await page.getByRole('navigation').first().waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Wall view' }).click();
  await page.mouse.move(300, 300);
  await page.mouse.move(310, 310);
  await page.getByRole('link', { name: 'Leave the wall view' }).click();
  await page.getByRole('link', { name: 'Wall view' }).waitFor();
});

test('why the farm does what it does is a tap away on a phone', async () => {
  const phone = await browser.newContext({ viewport: PHONE, hasTouch: true, isMobile: true });
  const held = await phone.newPage();
  await visit(held, `${origin}/app/jobs`);
  const chip = held.locator('button[data-farm]');
  await chip.tap();
  const tip = held.getByRole('tooltip');
  await tip.waitFor();
  // The reason changes once the workers are known.
  await until('the tip says why', async () => {
    const [, reason] = /^Farm \w+: (.+)$/.exec((await chip.getAttribute('aria-label')) ?? '') ?? [];
    return reason !== undefined && (await tip.innerText()).includes(reason);
  });
  await phone.close();
});

test('all along: no error, nothing refused by the policy, nothing from outside', () => {
  assert.deepEqual(problems, []);
});
