// Somebody asks why a task does not start, in the browser, against a running manager.
//
//   FLAMENCO_URL        the manager, http://localhost:8080 if not given
//   FLAMENCO_ARTIFACTS  folder for screenshots
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, picture, visit } from './browser.mjs';
import { ask, firstTask, hopelessJob, remove, submit, until } from './manager.mjs';

const origin = process.env.FLAMENCO_URL ?? 'http://localhost:8080';
const artifacts = process.env.FLAMENCO_ARTIFACTS ?? 'test-artifacts';
const FRAMES = 10_000;

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let problems;
/** @type {{ id: string, name: string }} */
let job;

before(async () => {
  browser = await launch();
  ({ page, problems } = await openPage(browser, origin));
  page.setDefaultTimeout(15_000);
  const hopeless = hopelessJob('A video of many frames', '/mnt/renders');
  job = await submit(origin, { ...hopeless, settings: { ...hopeless.settings, frames: `1-${FRAMES}` }, initial_status: 'paused' });
});
after(async () => {
  await page?.screenshot({ path: `${artifacts}/waiting-tasks-last.png` }).catch(() => {});
  await browser?.close();
  if (!job) return;
  await remove(origin, `/api/v3/jobs/${job.id}`);
  await until('the job is gone', async () => (await ask(origin, '/api/v3/jobs')).jobs.every((/** @type {{ id: string }} */ { id }) => id !== job.id));
});

const detail = () => page.getByRole('region', { name: /^Task / });

test('a task tells what it waits for, of ten thousand tasks, and leads there and back', async () => {
  const { tasks } = await ask(origin, `/api/v3/jobs/${job.id}/tasks?name=preview-video`);
  await visit(page, `${origin}/app/jobs/${job.id}/${tasks[0].id}`);
  const why = detail().getByRole('region', { name: 'Why it does not start' });
  await why.getByText('Its job is paused.').waitFor();
  await why.getByText('10,000 of the 10,000 tasks that it waits for are not completed yet.').waitFor();
  await detail().getByText('Waits for 10,000 tasks: 10,000 queued').click();
  const list = detail().getByRole('list', { name: 'Waits for' });
  assert.equal(await list.getByRole('link').count(), 50);
  await list.getByRole('button', { name: 'Show more; 9,950 are not shown' }).click();
  await list.getByRole('link', { name: 'render-250', exact: true }).waitFor();
  await picture(page, artifacts, 'task-dependencies');

  await list.getByRole('link', { name: 'render-7', exact: true }).click();
  await page.getByRole('heading', { name: 'render-7', exact: true }).waitFor();
  await detail().getByText('Needed by 1 task: 1 queued').click();
  assert.equal(await detail().getByText('Waits for').count(), 0);
  await detail().getByRole('list', { name: 'Needed by' }).getByRole('link', { name: 'preview-video' }).click();
  await page.getByRole('heading', { name: 'preview-video', exact: true }).waitFor();
});

test('a task that is canceled shows up at those that wait for it, without a reload', async () => {
  await detail().getByText('Waits for 10,000 tasks: 10,000 queued').click();
  const headers = { 'content-type': 'application/json' };
  const first = await firstTask(origin, job.id);
  await ask(origin, `/api/v3/tasks/${first}/setstatus`, { method: 'POST', headers, body: JSON.stringify({ status: 'canceled', reason: 'the test wants it' }) });
  await detail().getByText('It waits for 1 task that has failed or was canceled').waitFor();
  await detail().getByText('Waits for 10,000 tasks: 1 canceled, 9,999 queued').waitFor();
  await detail().getByRole('combobox', { name: /^Show/ }).selectOption('canceled');
  const list = detail().getByRole('list', { name: 'Waits for' });
  await until('only the canceled one is listed', async () => (await list.getByRole('link').count()) === 1);
  assert.equal(await list.getByRole('link').innerText(), 'render-1');
});

test('all along: no error, nothing refused by the policy', () => {
  assert.deepEqual(problems, []);
});
