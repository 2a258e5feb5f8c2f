// Somebody submits a job again, in the browser, against a running manager.
//
//   FLAMENCO_URL        the manager, http://localhost:8080 if not given
//   FLAMENCO_ARTIFACTS  folder for screenshots
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, picture, visit } from './browser.mjs';
import { ask, hopelessJob, remove, submit } from './manager.mjs';

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
});

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

test('all along: no error, nothing refused by the policy', () => {
  assert.deepEqual(problems, []);
});
