// Somebody submits a job again, and cleans up old jobs, in the browser, against a running manager. At its end all finished
// and paused jobs are gone.
//
//   FLAMENCO_URL        the manager, http://localhost:8080 if not given
//   FLAMENCO_ARTIFACTS  folder for screenshots
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, picture, visit } from './browser.mjs';
import { ask, hopelessJob, remove, submit, until } from './manager.mjs';

const origin = process.env.FLAMENCO_URL ?? 'http://localhost:8080';
const artifacts = process.env.FLAMENCO_ARTIFACTS ?? 'test-artifacts';

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let problems;
/** @type {string[]} */
const made = [];

before(async () => {
  browser = await launch();
  ({ page, problems } = await openPage(browser, origin));
  page.setDefaultTimeout(15_000);
});
after(async () => {
  await page?.screenshot({ path: `${artifacts}/jobs-again-and-no-more-last.png` }).catch(() => {});
  await browser?.close();
  for (const id of made) await remove(origin, `/api/v3/jobs/${id}`).catch(() => {});
  await until('the jobs of this test are gone', async () => (await jobs()).every(({ id }) => !made.includes(id)));
});

/** @returns {Promise<{ id: string, name: string, status: string }[]>} */
const jobs = async () => (await ask(origin, '/api/v3/jobs')).jobs;

/** A job that waits for ever.
 * @param {string} name */
async function pausedJob(name) {
  const job = await submit(origin, { ...hopelessJob(name, '/mnt/renders'), initial_status: 'paused' });
  made.push(job.id);
  return job;
}

test('a job is submitted again with other settings', async () => {
  const old = await pausedJob('Again <b>&amp;</b>');
  await visit(page, `${origin}/app/jobs/${old.id}`);
  await page.getByRole('button', { name: 'Submit again' }).click();
  const dialog = page.getByRole('dialog', { name: 'Submit again' });
  await dialog.getByLabel('Name').waitFor();
  assert.equal(await dialog.getByLabel('Name').inputValue(), old.name);
  assert.equal(await dialog.getByLabel('Priority').inputValue(), '90');
  assert.equal(await dialog.getByLabel('Chunk size').inputValue(), '1');
  await dialog.getByText('What stays as it was').click();
  await dialog.getByText('/mnt/renders/{timestamp}/######').waitFor();
  await picture(page, artifacts, 'submit-again');

  // What is wrong is told at its field: by the page, and by the job type's script.
  await dialog.getByLabel('Chunk size').fill('two');
  await dialog.getByRole('button', { name: 'Submit', exact: true }).click();
  await dialog.getByText('This must be a number').waitFor();
  await dialog.getByLabel('Chunk size').fill('2');
  const frames = dialog.getByLabel('Frames');
  await frames.fill('one to four');
  const expected = problems.length;
  await dialog.getByRole('button', { name: 'Submit', exact: true }).click();
  await dialog.locator('[data-key=frames]').getByText('invalid frame range "one to four"').waitFor();
  assert.equal(await frames.getAttribute('aria-invalid'), 'true');
  assert.ok(problems.splice(expected).every((problem) => problem.includes('400')));
  await picture(page, artifacts, 'submit-again-wrong');

  await frames.fill('1-4');
  await dialog.getByLabel('Name').fill('Again, in two');
  await dialog.getByLabel('Priority').fill('42');
  await dialog.getByLabel('Submitted by').fill('somebody else');
  await dialog.getByLabel('Paused at first').check();
  await dialog.getByRole('button', { name: 'Submit', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Again, in two' }).waitFor();
  const id = new URL(page.url()).pathname.split('/').at(-1) ?? '';
  made.push(id);
  const [job, before] = [await ask(origin, `/api/v3/jobs/${id}`), await ask(origin, `/api/v3/jobs/${old.id}/submission`)];
  assert.deepEqual([job.status, job.priority, job.steps_total], ['paused', 42, 5]);
  const path = job.settings.render_output_path;
  assert.deepEqual(job.settings, { ...before.submission.settings, frames: '1-4', chunk_size: 2, render_output_path: path });
  assert.match(path, /^\/mnt\/renders\/\d{4}-/, 'the time is that of the new job');
  assert.deepEqual(job.metadata, { 'user.name': 'somebody else', 'submitted.again': old.id });
});

test('the command palette submits the job of the page again, and Escape leaves it', async () => {
  const job = await pausedJob('From the palette');
  await visit(page, `${origin}/app/jobs?job=${job.id}`);
  await page.getByRole('region', { name: `Job ${job.name}` }).getByRole('button', { name: 'Submit again' }).waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('dialog', { name: 'Find' }).getByRole('textbox').fill('submit again');
  await page.getByRole('option', { name: `Submit again: ${job.name}` }).click();
  const dialog = page.getByRole('dialog', { name: 'Submit again' });
  assert.equal(await dialog.getByLabel('Name').inputValue(), job.name);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
});

test('old jobs are cleaned up, once it was told which, and how many was typed', async () => {
  const canceled = [await pausedJob('Old one'), await pausedJob('Old <i>two</i>')];
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ status: 'cancel-requested', reason: 'the test wants it' });
  for (const { id } of canceled) await ask(origin, `/api/v3/jobs/${id}/setstatus`, { method: 'POST', headers, body });
  await until('they are canceled', async () => (await jobs()).filter(({ status }) => status === 'canceled').length >= 2);
  const all = await jobs();
  const going = all.filter(({ status }) => ['completed', 'canceled', 'failed'].includes(status)).length;

  await visit(page, `${origin}/app/jobs`);
  await page.getByRole('button', { name: 'Clean up' }).click();
  const dialog = page.getByRole('dialog', { name: 'Clean up old jobs' });
  await dialog.getByRole('heading', { name: 'No job goes' }).waitFor();
  await dialog.getByText(`${all.length} jobs that were changed later.`).waitFor();
  assert.ok(await dialog.getByRole('button', { name: 'Delete', exact: true }).isDisabled());
  await dialog.getByLabel('Last changed').selectOption('before');
  await dialog.getByText('Choose a day that has begun').waitFor();
  await page.keyboard.press('Escape');

  // Two months later.
  await page.addInitScript(() => {
    const now = Date.now;
    Date.now = () => now() + 60 * 86_400_000;
  });
  await visit(page, `${origin}/app/jobs`);
  await page.getByRole('button', { name: 'Clean up' }).click();
  await dialog.getByRole('heading', { name: new RegExp(`^${going} jobs go: .*\\d canceled`) }).waitFor();
  for (const { name } of canceled) await dialog.getByRole('list', { name: 'Jobs that go' }).getByText(name, { exact: true }).waitFor();
  await dialog.getByText(/ jobs that are old enough, in statuses that are not chosen: .*\d paused/).waitFor();
  await dialog.getByLabel('Paused').check();
  const total = all.filter(({ status }) => ['completed', 'canceled', 'failed', 'paused'].includes(status)).length;
  await dialog.getByRole('heading', { name: `${total} jobs go` }).waitFor();
  await dialog.getByText('unfinished job').waitFor();
  const confirm = dialog.getByRole('button', { name: `Delete ${total} jobs` });
  await dialog.getByLabel('To confirm, type').fill(String(total + 1));
  assert.ok(await confirm.isDisabled());
  await picture(page, artifacts, 'clean-up');

  // One of them is gone already when it is confirmed: nothing happens, and the new number is told.
  await dialog.getByLabel('To confirm, type').fill(String(total));
  const expected = problems.length;
  await remove(origin, `/api/v3/jobs/${made.shift()}`);
  await confirm.click();
  await dialog.getByRole('alert').getByText(`${total - 1} jobs would be deleted now, not ${total}`).waitFor();
  assert.ok(problems.splice(expected).every((problem) => problem.includes('409')));
  await dialog.getByLabel('To confirm, type').fill(String(total - 1));
  await dialog.getByRole('button', { name: `Delete ${total - 1} jobs` }).click();
  await page.getByRole('region', { name: 'New messages' }).getByText(`Marked ${total - 1} jobs for deletion.`).waitFor();
  await until('they are gone', async () => (await jobs()).every(({ id }) => !made.includes(id)));
});

test('all along: no error, nothing refused by the policy', () => {
  assert.deepEqual(problems, []);
});
