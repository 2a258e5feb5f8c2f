// Somebody looks after workers, tags and the configuration in the browser, against a running manager with a worker.
//
//   FLAMENCO_URL        the manager, http://localhost:8080 if not given
//   FLAMENCO_ARTIFACTS  folder for screenshots
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { launch, openPage, picture, visit } from './browser.mjs';
import {
  configuration,
  createTag,
  hopelessJob,
  idleWorker,
  jobStatus,
  putConfiguration,
  remove,
  sleepJob,
  sleepSchedule,
  submit,
  tagsOf,
  until,
  workers,
} from './manager.mjs';

const origin = process.env.FLAMENCO_URL ?? 'http://localhost:8080';
const artifacts = process.env.FLAMENCO_ARTIFACTS ?? 'test-artifacts';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAG = 'browser <i>test</i>';

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let problems;
/** @type {{ id: string, name: string, status: string }} */
let worker;
/** @type {Record<string, unknown>} */
let atFirst;

before(async () => {
  browser = await launch();
  ({ page, problems } = await openPage(browser, origin));
  page.setDefaultTimeout(15_000);
  const [first] = await workers(origin);
  assert.ok(first, 'this test needs a worker');
  worker = first;
  atFirst = await configuration(origin);
});
after(async () => {
  await page?.screenshot({ path: `${artifacts}/workers-and-settings-last.png` }).catch(() => {});
  await browser?.close();
  if (atFirst) await putConfiguration(origin, atFirst);
});

const toast = (/** @type {string | RegExp} */ text) => page.getByRole('region', { name: 'New messages' }).getByText(text).first();

test('a tag is created, refused a second time, and given to a worker', async () => {
  await visit(page, `${origin}/app/tags`);
  await page.getByLabel('Name of a new tag').fill(TAG);
  await page.getByLabel('Description of the new tag').fill('For the test');
  await page.keyboard.press('Enter');
  const row = page.getByRole('listitem').filter({ hasText: TAG });
  await row.getByText('0 workers').waitFor();
  await row.getByText('0 open jobs').waitFor();
  const expected = problems.length;
  await page.getByLabel('Name of a new tag').fill(TAG);
  await page.keyboard.press('Enter');
  await page.locator('[aria-invalid=true]').waitFor();
  assert.ok(problems.splice(expected).every((problem) => problem.includes('409')));
  await picture(page, artifacts, 'tags');

  await visit(page, `${origin}/app/workers/${worker.id}`);
  await page.getByRole('switch', { name: TAG }).click();
  await until('the worker has the tag', async () => (await tagsOf(origin, worker.id)).includes(TAG));
  await page.getByText('Takes jobs with one of its tags').waitFor();
  await visit(page, `${origin}/app/tags`);
  await row.getByText('1 worker').waitFor();
  await row.getByRole('button', { name: /^Delete/ }).click();
  await page.getByRole('alertdialog').getByText('1 worker will lose it. No job has it.').waitFor();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
  assert.deepEqual(await tagsOf(origin, worker.id), []);
});

test('the page of a worker shows its machine', async () => {
  await visit(page, `${origin}/app/workers/${worker.id}`);
  await page.getByRole('heading', { level: 1, name: worker.name }).waitFor();
  await page.getByRole('img', { name: /^Shares of the machine of .* CPU: \d+ % at last/ }).locator('canvas').waitFor();
  const cores = page.getByRole('region', { name: 'Cores' });
  await cores.getByText(/^\d+ cores?: \d+ (?:busy|in between|idle)/).waitFor();
  await cores.getByRole('listitem').first().getByText(/^\d+ %$/).waitFor();
  await page.getByRole('button', { name: '24 hours' }).click();
  await page.getByText('CPU', { exact: true }).first().waitFor();
  await page.getByRole('button', { name: '15 minutes' }).click();
  await picture(page, artifacts, 'worker');
});

test('the page of a worker shows its own log, live, and how long its tasks took', async () => {
  await visit(page, `${origin}/app/workers/${worker.id}`);
  const log = page.getByRole('log', { name: `Log of ${worker.name}` });
  // Not one certain line: of what a worker said in the tests before, only the last lines are kept.
  await log.locator('p').first().waitFor();
  const job = await submit(origin, sleepJob('Job <i>for the log</i>', 2));
  // It comes by itself, within the few seconds in which the worker collects its lines.
  await log.getByText(`job=${job.id}`).first().waitFor();
  await until('the job is done', async () => (await jobStatus(origin, job.id)) === 'completed');
  const row = page.getByRole('row').filter({ hasText: 'Job <i>for the log</i>' }).filter({ hasText: 'Completed' }).first();
  await row.getByRole('cell', { name: /^(?:\d+ ms|\d+(?:\.\d)? s)$/ }).waitFor({ timeout: 30_000 });
  await page.getByText('Upright lines: a task began').waitFor();
  await page.getByRole('img', { name: /It began \d+ tasks? in this time/ }).waitFor();
  await log.scrollIntoViewIfNeeded();
  await picture(page, artifacts, 'worker-log');
});

test('the log of the manager is a page, live, and can be searched', async () => {
  await visit(page, `${origin}/app/`);
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Log', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Log of the manager' }).waitFor();
  const log = page.getByRole('log', { name: 'Log of the manager' });
  await log.getByText('Flamenco Manager starts').waitFor();
  const job = await submit(origin, sleepJob('Job <i>to be erased</i>', 1));
  await until('the job is done', async () => (await jobStatus(origin, job.id)) === 'completed');
  assert.equal((await fetch(new URL(`/api/v3/jobs/${job.id}`, origin), { method: 'DELETE' })).status, 204);
  const line = log.locator('p').filter({ hasText: 'job erased' }).filter({ hasText: job.id });
  await line.waitFor();
  await picture(page, artifacts, 'manager-log');

  await page.keyboard.press('/');
  await page.keyboard.type(`erased ${job.id}`);
  await page.getByText(/^1 of \d+ lines/).waitFor();
  assert.equal(await log.locator('p').count(), 1);
  // What is looked for is in the address.
  await page.reload();
  await line.waitFor();
  assert.equal(await log.locator('p').count(), 1);
  await page.getByLabel('Which lines').selectOption('error');
  await page.getByRole('heading', { name: 'No such lines' }).waitFor();
  assert.match(page.url(), /level=error/);
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await log.getByText('Flamenco Manager starts').waitFor();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download the lines that are shown' }).click()]);
  assert.equal(file.suggestedFilename(), 'Browser-test-manager-log.txt');
});

test('what waits for a person is on the home page, and one click leads to the blocklist', async () => {
  const other = await idleWorker(origin, 'only <u>on paper</u>');
  const folder = '/nowhere/Browser <b>test</b>';
  const job = await submit(origin, hopelessJob('Hopeless <b>job</b>', folder));
  const tag = await createTag(origin, 'nobody has it');
  const stuck = await submit(origin, { ...sleepJob('Stuck job', 1), worker_tag: tag });
  await visit(page, `${origin}/app/`);
  const attention = page.getByRole('region', { name: 'Needs attention' });
  await attention.getByText('No worker that could do its tasks has its tag (misc); 1 task waits.').waitFor();
  const blocked = attention.getByRole('link').filter({ hasText: `Failed too often, and blocked: ${worker.name} (blender).` });
  await blocked.waitFor({ timeout: 60_000 });
  await picture(page, artifacts, 'attention');
  await blocked.click();
  await page.waitForURL(new RegExp(`/app/jobs/${job.id}/workers$`));
  await page.getByRole('button', { name: `Let ${worker.name} take blender tasks again` }).waitFor();

  // A part of a path finds the job, from every page.
  await visit(page, `${origin}/app/tags`);
  await page.keyboard.press('/');
  const find = page.getByRole('dialog', { name: 'Find' });
  await find.locator('input').fill('BROWSER <b>TEST</b>/MISSING');
  const option = find.getByRole('option').filter({ hasText: `${folder}/missing.blend` });
  await option.getByText('Hopeless <b>job</b>').waitFor();
  await picture(page, artifacts, 'find-path');
  await option.click();
  await page.waitForURL(new RegExp(`/app/jobs/${job.id}$`));

  // No page asks for what is about to go.
  await visit(page, `${origin}/app/tags`);
  for (const path of [`jobs/${job.id}`, `jobs/${stuck.id}`, `worker-mgt/workers/${other}`]) await remove(origin, `/api/v3/${path}`);
  const gone = async (/** @type {{ id: string }} */ { id }) => (await jobStatus(origin, id).catch(() => 'gone')) === 'gone';
  await until('the jobs are gone', async () => (await gone(job)) && gone(stuck));
  await remove(origin, `/api/v3/worker-mgt/tag/${tag}`);
});

test('a sleep schedule says what is wrong at its field, and when the next change comes', async () => {
  await visit(page, `${origin}/app/workers/${worker.id}`);
  await page.getByRole('button', { name: 'Make one' }).click();
  const form = page.getByRole('form', { name: /^Sleep schedule/ });
  // Nothing that would send the worker to sleep while others test.
  await form.getByLabel('Follow this schedule').uncheck();
  await form.getByLabel('Days on which the sleep begins').fill('Fr someday mo');
  await form.getByText('“someday” is not a day').waitFor();
  assert.ok(await form.getByRole('button', { name: 'Save schedule' }).isDisabled());
  await form.getByLabel('Days on which the sleep begins').fill('Fr, mo');
  assert.equal(await form.getByRole('button', { name: 'Friday' }).getAttribute('aria-pressed'), 'true');
  await form.getByLabel('From').fill('18:00');
  await form.getByLabel('To').fill('24:00');
  await form.getByRole('button', { name: 'Save schedule' }).click();
  await page.getByText('Sleeps on Monday and Friday from 18:00 to 24:00.').waitFor();
  assert.deepEqual(await sleepSchedule(origin, worker.id), { is_active: false, days_of_week: 'mo fr', start_time: '18:00', end_time: '' });
});

test('a request to a worker is made, seen, and withdrawn', async () => {
  await visit(page, `${origin}/app/workers?worker=${worker.id}`);
  const pane = page.getByRole('region', { name: `Worker ${worker.name}` });
  await pane.getByRole('button', { name: 'Change status' }).click();
  await page.getByRole('menuitem', { name: /^Send to sleep.*after its current task/ }).click();
  await toast(/^Asked worker .* to sleep after the current task\.$/).waitFor();
  // It has no task, so that it goes to sleep at once, and the list says so by itself.
  const row = page.getByRole('grid', { name: 'Workers' }).locator(`[data-id="${worker.id}"]`);
  await row.locator('[data-status=asleep]').waitFor();
  await pane.getByRole('button', { name: 'Change status' }).click();
  await page.getByRole('menuitem', { name: /^Wake up/ }).click();
  await until('the worker is awake', async () => (await workers(origin)).some(({ id, status }) => id === worker.id && status === 'awake'));
  await row.locator('[data-status=awake]').waitFor();
});

test('the switch of a worker disables it, and the message takes that back', async () => {
  await visit(page, `${origin}/app/workers`);
  const turn = page.getByRole('grid', { name: 'Workers' }).getByRole('switch').first();
  await turn.click();
  await page.locator('[role=switch][aria-checked=false]').waitFor();
  assert.equal((await workers(origin)).filter((one) => one.enabled === false).length, 1);
  await page.locator('[role=row].dimmed').waitFor();
  await picture(page, artifacts, 'workers-disabled');
  await page.evaluate(AXE);
  for (const theme of ['dark', 'light']) {
    await page.evaluate((name) => (document.documentElement.dataset.theme = name), theme);
    const faults = await page.evaluate(async () => {
      // @ts-expect-error it was added to the page above
      const { violations } = await window.axe.run('[role=row].dimmed', { runOnly: ['color-contrast'] });
      return violations.flatMap((/** @type {any} */ found) => found.nodes.map((/** @type {any} */ node) => node.failureSummary));
    });
    assert.deepEqual(faults, [], `a dimmed row can be read, ${theme}`);
  }
  await page.evaluate(() => (document.documentElement.dataset.theme = 'dark'));
  // From where it was done is told, too; the message stays when the page changes.
  const name = page.getByRole('grid', { name: 'Workers' }).locator(`[data-id="${worker.id}"]`);
  await name.click();
  await page.getByRole('region', { name: `Worker ${worker.name}` }).getByText(/^since \d{4}-.*, from 127\.0\.0\.1$/).waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await until('it is enabled again', async () => (await workers(origin)).every((one) => one.enabled !== false));
  await page.locator('[role=switch][aria-checked=true]').first().waitFor();
});

test('removing a worker asks first, and says that it is not offline', async () => {
  await visit(page, `${origin}/app/workers/${worker.id}`);
  await page.getByRole('button', { name: 'Change status' }).click();
  await page.getByRole('menuitem', { name: /^Remove/ }).click();
  await page.getByRole('alertdialog').getByText('This worker is not offline').waitFor();
  await page.getByRole('button', { name: 'Keep as it is' }).click();
  assert.equal((await workers(origin)).filter(({ id }) => id === worker.id).length, 1);
});

test('the settings try out a path, say what variables become, and list the job types', async () => {
  await visit(page, `${origin}/app/settings#storage`);
  await page.getByRole('button', { name: 'Try this path' }).click();
  await page.getByText('The manager can read and write there.').waitFor();
  await page.getByLabel('Shared storage').fill('/no/such/folder');
  assert.equal(await page.getByText('The manager can read and write there.').count(), 0, 'that was about another path');
  await page.getByRole('button', { name: 'Try this path' }).click();
  await page.getByText('/no/such/folder does not exist').waitFor();
  await page.getByRole('button', { name: 'Undo edits' }).click();

  await page.goto(`${origin}/app/settings#variables`);
  const variable = page.getByRole('article', { name: 'Variable blenderArgs' });
  await variable.getByText('Everybody everywhere').waitFor();
  await variable.getByLabel('Platform of value 1').selectOption('windows');
  await variable.getByText('Everybody on Linux and macOS').waitFor();
  await variable.getByText('no value: the word {blenderArgs} stays as it is').waitFor();
  await page.getByRole('button', { name: 'Undo edits' }).click();

  await page.goto(`${origin}/app/settings#jobtypes`);
  await page.getByRole('region', { name: 'Job types that there are' }).getByText('simple-blender-render').waitFor();
});

test('a setting is refused at its field, saved, and in force', async () => {
  await visit(page, `${origin}/app/settings#failures`);
  await page.getByLabel('Task timeout').fill('soon');
  await page.getByText('Write numbers with units').waitFor();
  await page.getByRole('button', { name: 'Save' }).click();
  assert.equal((await configuration(origin)).task_timeout, atFirst.task_timeout);
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-invalid')), 'true');
  await picture(page, artifacts, 'settings-refused');
  await page.getByLabel('Task timeout').fill('17m');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.', { exact: true }).waitFor();
  assert.deepEqual(await configuration(origin), { ...atFirst, task_timeout: '17m0s' });
});

test('what the manager alone can check is shown at its field, too', async () => {
  await visit(page, `${origin}/app/settings#mqtt`);
  const expected = problems.length;
  await page.getByLabel('Send events to an MQTT server').check();
  await page.getByLabel('Server', { exact: true }).fill('nonsense');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('[data-key="mqtt.client.broker"]').getByText('the scheme is missing').waitFor();
  assert.ok(problems.splice(expected).every((problem) => problem.includes('400')));
});

test('leaving with edits asks, and staying keeps them', async () => {
  await page.getByRole('link', { name: 'Tags' }).click();
  await page.getByRole('alertdialog', { name: 'Leave without saving?' }).waitFor();
  await page.getByRole('button', { name: 'Stay' }).click();
  assert.equal(await page.getByLabel('Server', { exact: true }).inputValue(), 'nonsense');
  await page.getByRole('link', { name: 'Tags' }).click();
  await page.getByRole('button', { name: 'Leave' }).click();
  await page.waitForURL(/\/app\/tags$/);
});

test('what somebody else saves meanwhile is kept, and the same field is asked about', async () => {
  await visit(page, `${origin}/app/settings#failures`);
  await page.getByLabel('Block a worker after').fill('7');
  await putConfiguration(origin, { ...(await configuration(origin)), task_fail_after_softfail_count: 5 });
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.', { exact: true }).waitFor();
  const saved = await configuration(origin);
  assert.deepEqual([saved.blocklist_threshold, saved.task_fail_after_softfail_count], [7, 5]);

  await page.getByLabel('Block a worker after').fill('8');
  await putConfiguration(origin, { ...saved, blocklist_threshold: 9 });
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('alert').getByText('Somebody else has changed meanwhile: Block a worker after').waitFor();
  assert.equal((await configuration(origin)).blocklist_threshold, 9);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.', { exact: true }).waitFor();
  assert.equal((await configuration(origin)).blocklist_threshold, 8);
});

test('every setting says what is in force, and a restart puts in force what waits for it', async () => {
  await visit(page, `${origin}/app/settings#jobtypes`);
  const field = page.locator('[data-key="script_time_limit"]');
  await field.getByText('In force: 5s').waitFor();
  await field.getByLabel('Time limit of a script').fill('8s');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('waiting for a restart of the manager: Time limit of a script.').waitFor();
  await field.getByText('In force: 5s').waitFor();
  await page.getByRole('button', { name: 'Restart now …' }).click();
  const dialog = page.getByRole('alertdialog', { name: 'Restart the manager?' });
  await dialog.getByText('Nothing that was accepted is lost.').waitFor();
  await picture(page, artifacts, 'settings-restart');
  await dialog.getByRole('button', { name: 'Not now' }).click();
  await page.getByRole('button', { name: 'More for the manager' }).click();
  await page.getByRole('menuitem', { name: 'Restart the manager …' }).click();
  const expected = problems.length;
  await dialog.getByRole('button', { name: 'Restart now' }).click();
  await page.getByText('The manager has started again.').waitFor({ timeout: 60_000 });
  await field.getByText('In force: 8s, from the file').waitFor();
  await field.getByText('default: 5s').waitFor();
  await page.locator('[data-feed=connected]').waitFor({ state: 'attached' });
  assert.equal((await workers(origin)).length > 0, true);
  await picture(page, artifacts, 'settings-in-force');
  // A request that met the restart, and the live feed that was cut off, are no faults of the page.
  const reported = problems.splice(expected);
  assert.ok(reported.every((problem) => /ERR_|WebSocket|503|Failed to load/.test(problem)), reported.join('\n'));
});

test('all along: no error, nothing refused by the policy, nothing from outside', () => {
  assert.deepEqual(problems, []);
});
