// A person watches a job in the browser, against a running manager with at least one worker and no jobs.
//
//   FLAMENCO_URL        the manager, http://localhost:8080 if not given
//   FLAMENCO_ARTIFACTS  folder for screenshots
//   FLAMENCO_JOB        a JSON file with the job to watch; without it, some seconds of sleep
//   FLAMENCO_TIMEOUT    seconds that the watched job may take, 120 if not given
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, PHONE, picture, visit } from './browser.mjs';
import { jobCount, jobStatus, sleepJob, submit, until, watchedJob, workers } from './manager.mjs';

const origin = process.env.FLAMENCO_URL ?? 'http://localhost:8080';
const artifacts = process.env.FLAMENCO_ARTIFACTS ?? 'test-artifacts';
const patience = Number(process.env.FLAMENCO_TIMEOUT ?? 120) * 1000;

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let problems;

before(async () => {
  browser = await launch();
  ({ page, problems } = await openPage(browser, origin));
  page.setDefaultTimeout(15_000);
});
after(async () => {
  // What the page looked like at the end, above all when a test failed.
  await page?.screenshot({ path: `${artifacts}/last.png` }).catch(() => {});
  await browser?.close();
});

/** @param {string} id */
const rowOf = (id) => page.locator(`[role=row][data-id="${id}"]`);
/** @param {string} id */
const statusOf = (id) => rowOf(id).locator('[data-status]').getAttribute('data-status');
const isSameDocument = () => page.evaluate(() => 'watched' in window);

test('without jobs, the page says how to get one', async () => {
  assert.equal(await jobCount(origin), 0, 'this test needs a manager without jobs');
  await visit(page, `${origin}/app/jobs`);
  await page.getByRole('heading', { name: 'No jobs yet' }).waitFor();
  assert.equal(await page.getByLabel('Address of this manager').innerText(), `${origin}/`);
  assert.equal(await page.getByRole('link', { name: 'Get the Blender add-on' }).getAttribute('href'), '/flamenco-addon.zip');
  assert.match(await page.getByLabel('Command that submits a test job').innerText(), new RegExp(`curl ${origin}/api/v3/jobs`));
  await page.locator('[data-feed=connected]').waitFor({ state: 'attached' });
  await picture(page, artifacts, '1-no-jobs');
  // Gone after a reload; so its presence proves that there was none.
  await page.evaluate(() => Object.assign(window, { watched: true }));
});

/** @type {{ id: string, name: string }} */
let job;

test('a job appears, runs and completes without a reload', async () => {
  job = await submit(origin, watchedJob());
  await rowOf(job.id).waitFor();
  assert.equal(await rowOf(job.id).getByText(job.name, { exact: true }).count(), 1, 'the name is shown as it is');

  /** @type {string[]} */
  const seen = [];
  const progress = new Set();
  let pictured = false;
  await until('the job completes on the page', async () => {
    const status = (await statusOf(job.id)) ?? '';
    if (seen.at(-1) !== status) seen.push(status);
    progress.add(await rowOf(job.id).getByRole('progressbar').getAttribute('aria-valuenow'));
    if (status === 'active' && progress.size > 1 && !pictured) {
      pictured = true;
      await rowOf(job.id).click();
      await page.getByRole('link', { name: 'Open job page' }).waitFor();
      await picture(page, artifacts, '2-job-active');
    }
    return status === 'completed';
  }, patience);

  assert.ok(seen.includes('active'), `statuses seen: ${seen.join(', ')}`);
  assert.ok(progress.size > 2, `progress seen: ${[...progress].join(', ')}`);
  assert.equal(await rowOf(job.id).getByRole('progressbar').getAttribute('aria-valuenow'), '100');
  assert.equal(await jobStatus(origin, job.id), 'completed');
  assert.ok(await isSameDocument(), 'the page was reloaded');
  await picture(page, artifacts, '3-job-completed');
});

test('a finished task shows its log', async () => {
  await visit(page, `${origin}/app/jobs/${job.id}`);
  await page.getByRole('heading', { level: 1, name: job.name }).waitFor();
  const tasks = page.getByRole('grid', { name: 'Tasks' });
  await tasks.locator('[data-index="0"]').click();
  await page.waitForURL(new RegExp(`/app/jobs/${job.id}/[0-9a-f-]{36}$`));
  await page.getByRole('log').waitFor();
  await until('the log has lines', async () => (await page.getByRole('log').innerText()).trim() !== '');
  await picture(page, artifacts, '4-job-page');
  const detail = page.getByRole('region', { name: /^Task / });
  await detail.locator('summary', { hasText: 'Id, priority' }).click();
  for (const field of ['Updated', 'Id', 'Priority', 'Created']) await detail.getByText(field, { exact: true }).waitFor();
  for (const tab of ['Settings', 'Details']) {
    await page.getByRole('navigation', { name: 'Parts of the job' }).getByRole('link', { name: tab, exact: true }).click();
    await page.getByRole('region', { name: tab, exact: true }).getByText(tab === 'Settings' ? /./ : job.id).first().waitFor();
    await picture(page, artifacts, `5-job-${tab.toLowerCase()}`);
  }
});

test('a log moves while its task runs, and nothing is missing or doubled', async () => {
  const running = await submit(origin, sleepJob('Job with a live log', 8));
  await visit(page, `${origin}/app/jobs/${running.id}`);
  const tasks = page.getByRole('grid', { name: 'Tasks' });
  // The last task in line: its log begins while it is being watched.
  const last = tasks.locator('[data-index]').last();
  await last.click();
  await page.getByRole('heading', { name: 'No log yet' }).waitFor();
  await page.evaluate(() => Object.assign(window, { watched: true }));

  /** @type {number[]} */
  const lengths = [];
  const lines = page.locator('[data-log-lines]');
  await until('the job completes', async () => {
    const count = Number.parseInt((await lines.innerText()).replaceAll(',', ''), 10);
    if (lengths.at(-1) !== count) lengths.push(count);
    return (await jobStatus(origin, running.id)) === 'completed';
  }, patience);
  const href = await page.getByRole('link', { name: 'Download the whole log' }).getAttribute('href');
  const whole = await (await fetch(new URL(href ?? '', origin))).text();
  await until('the page shows the whole log', async () => {
    const shown = await page.getByRole('log').innerText();
    return shown.trimEnd() === whole.trimEnd();
  }, 10_000);
  assert.ok(lengths.length > 1, `numbers of lines seen: ${lengths.join(', ')}`);
  assert.ok(await isSameDocument(), 'the page was reloaded');
});

test('a job is canceled and requeued from the page', async () => {
  const victim = await submit(origin, sleepJob('Job to cancel', 30));
  await visit(page, `${origin}/app/jobs?job=${victim.id}`);
  const pane = page.getByRole('region', { name: `Job ${victim.name}` });
  await pane.getByRole('button', { name: 'Cancel', exact: true }).click();
  await until('the job is canceled', async () => (await statusOf(victim.id)) === 'canceled');
  assert.equal(await jobStatus(origin, victim.id), 'canceled');
  await page.getByRole('button', { name: 'Undo' }).waitFor();
  await picture(page, artifacts, '6-job-canceled');

  await pane.getByRole('button', { name: 'Requeue', exact: true }).click();
  await until('the job runs again', async () => ['queued', 'active'].includes((await statusOf(victim.id)) ?? ''));
  await pane.getByRole('button', { name: 'Cancel', exact: true }).click();
  await until('the job is canceled again', async () => (await jobStatus(origin, victim.id)) === 'canceled');
});

test('a pause is taken back while the job is still pausing, and its task goes on', async () => {
  const worked = await submit(origin, { ...sleepJob('Job to pause', 6), settings: { message: 'pause', sleep_duration_seconds: 3, sleep_repeats: 6 } });
  await until('the job runs', async () => (await jobStatus(origin, worked.id)) === 'active');
  await visit(page, `${origin}/app/jobs?job=${worked.id}`);
  const pane = page.getByRole('region', { name: `Job ${worked.name}` });
  await pane.getByRole('button', { name: 'Pause', exact: true }).click();
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('Put job "Job to pause" back in the queue.').first().waitFor();
  await until('the job runs on', async () => (await jobStatus(origin, worked.id)) === 'active');
  await pane.getByRole('button', { name: 'Cancel', exact: true }).click();
  await until('the job is canceled', async () => (await jobStatus(origin, worked.id)) === 'canceled');
});

test('the filter lives in the address and can be cleared', async () => {
  await visit(page, `${origin}/app/jobs`);
  await rowOf(job.id).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('nothing is called this');
  await page.getByRole('heading', { name: 'No job matches the filter' }).waitFor();
  await page.waitForURL(/[?&]q=nothing/);
  await picture(page, artifacts, '7-no-match');
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await rowOf(job.id).waitFor();
});

test('a finger that rests on a row picks it, and each tap after that another one', async () => {
  const context = await browser.newContext({ viewport: PHONE, hasTouch: true, isMobile: true });
  const phone = await context.newPage();
  await visit(phone, `${origin}/app/jobs`);
  const touch = await context.newCDPSession(phone);
  const box = await phone.locator('[data-index="0"]').boundingBox();
  await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x: (box?.x ?? 0) + 60, y: (box?.y ?? 0) + 15 }] });
  await phone.locator('[data-index="0"][aria-selected=true]').waitFor();
  await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  await phone.locator('[data-index="2"]').tap();
  await phone.getByText('2 selected').waitFor();
  await phone.getByRole('toolbar', { name: 'Actions on the selected jobs' }).getByRole('button', { name: /^Requeue/ }).waitFor();
  await phone.locator('[data-index="0"]').tap();
  await phone.locator('[data-index="2"]').tap();
  // Lists are turned around by a button, where there is no head to click.
  const firstId = () => phone.locator('[data-index="0"]').getAttribute('data-id');
  const newest = await firstId();
  await phone.getByRole('button', { name: 'Turn the order around, now descending' }).tap();
  await phone.getByRole('button', { name: 'Turn the order around, now ascending' }).waitFor();
  await until('the oldest is first', async () => (await firstId()) !== newest);
  await phone.getByRole('button', { name: 'Turn the order around, now ascending' }).tap();
  await until('the newest is first', async () => (await firstId()) === newest);
  // With a picture, where Blender has made one.
  if (process.env.FLAMENCO_JOB) await phone.locator(`[data-id="${job.id}"] .beside img`).waitFor();
  // Nothing is picked any more, so that a tap opens again.
  await phone.locator('[data-index="1"]').tap();
  await phone.waitForURL(/[?&]job=/);
  await context.close();
});

test('the workers page shows who works', async () => {
  const [worker] = await workers(origin);
  assert.ok(worker, 'this test needs a worker');
  await page.getByRole('link', { name: /^Workers/ }).first().click();
  await rowOf(worker.id).click();
  const pane = page.getByRole('region', { name: `Worker ${worker.name}` });
  await pane.getByText('Task types').waitFor();
  await pane.getByRole('button', { name: 'Change status' }).click();
  await page.getByRole('menuitem', { name: /^Shut down/ }).first().waitFor();
  await page.keyboard.press('Escape');
  await picture(page, artifacts, '8-workers');
});

test('the last image has its job, its frame and its worker beside it', async () => {
  await visit(page, `${origin}/app/last-rendered`);
  const figure = page.getByRole('figure');
  // Without Blender, nothing was rendered.
  if (!process.env.FLAMENCO_JOB) return page.getByRole('heading', { name: 'Nothing rendered yet' }).waitFor();
  await figure.getByRole('link', { name: job.name, exact: true }).waitFor();
  await figure.getByRole('link', { name: 'Frame 6 of 6' }).click();
  await page.waitForURL(`${origin}/app/jobs/${job.id}/frames/6`);
});

test('addresses that lead nowhere say so', async () => {
  await visit(page, `${origin}/app/jobs/${job.id}/6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11`);
  await page.getByRole('heading', { name: 'There is no such task' }).waitFor();
  assert.match(page.url(), /6a7b5c0e/, 'the address stays, so that it can be looked at');
  // The tasks beside it are still there to go on with.
  await page.getByRole('grid', { name: 'Tasks' }).locator('[data-index="0"]').click();
  await page.getByRole('log').waitFor();
  await visit(page, `${origin}/app/no/such/page`);
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
});

test('all along: no error, nothing refused by the policy, nothing from outside', () => {
  assert.deepEqual(problems, []);
});
