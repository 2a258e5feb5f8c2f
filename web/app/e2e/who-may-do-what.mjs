// A viewer, an artist and an admin sign in, and see what each of them may do. The manager and its folder belong to this test.
//
//   FLAMENCO_PROGRAMS   folder of flamenco-manager, ../../target/debug if not given
//   FLAMENCO_ARTIFACTS  folder for screenshots
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, openPage, picture, visit } from './browser.mjs';
import { ask, freePort, sleepJob, until } from './manager.mjs';

const programs = resolve(process.env.FLAMENCO_PROGRAMS ?? '../../target/debug');
const artifacts = resolve(process.env.FLAMENCO_ARTIFACTS ?? 'test-artifacts');
const folder = mkdtempSync(join(tmpdir(), 'flamenco-roles.'));
const TOKENS = { admin: 'the-token-of-the-admins', artist: 'the-token-of-the-artists', viewer: 'the-token-of-the-viewers' };
const NEW_TOKEN = 'a-new-token-of-the-admins';

/** @type {import('node:child_process').ChildProcess} */
let manager;
/** @type {string} */
let origin;
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let problems;
/** @type {{ id: string, name: string }} */
let job;
/** @type {string} */
let worker;

/** @param {string} path @param {string} [token] @param {RequestInit} [init] */
function as(path, token, init = {}) {
  const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) };
  return ask(origin, path, { ...init, headers });
}
/** @param {string} without what can be done without a token */
async function setWithoutToken(without) {
  const file = await as('/api/v3/configuration/file', TOKENS.admin);
  file.access.without_token = without;
  await as('/api/v3/configuration/file', TOKENS.admin, { method: 'PUT', body: JSON.stringify(file) });
}

before(async () => {
  mkdirSync(artifacts, { recursive: true });
  mkdirSync(join(folder, 'storage'));
  const access = `{ admin_token: ${TOKENS.admin}, artist_token: ${TOKENS.artist}, viewer_token: ${TOKENS.viewer} }`;
  writeFileSync(
    join(folder, 'flamenco-manager.yaml'),
    `_meta: { version: 3 }\nautodiscoverable: false\nshared_storage_path: ${join(folder, 'storage')}\nshaman: { enabled: false }\naccess: ${access}\n`,
  );
  const listen = `127.0.0.1:${await freePort()}`;
  origin = `http://${listen}`;
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, FLAMENCO_LISTEN: listen };
  delete env.FLAMENCO_DATABASE;
  delete env.FLAMENCO_SHARED_STORAGE;
  manager = spawn(join(programs, 'flamenco-manager'), { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  manager.stderr?.pipe(createWriteStream(join(artifacts, 'who-may-do-what-manager.log')));
  await until('the manager answers', () => ask(origin, '/api/v3/version').then(() => true, () => false));
  // Nobody works on this job: it waits to be paused.
  job = await as('/api/v3/jobs', TOKENS.artist, { method: 'POST', body: JSON.stringify(sleepJob('Job of <i>roles</i>', 3)) });
  const registration = { secret: 'of-the-test', name: 'worker of the test', platform: 'linux', supported_task_types: ['misc'] };
  worker = (await as('/api/v3/worker/register-worker', undefined, { method: 'POST', body: JSON.stringify(registration) })).uuid;
  browser = await launch();
  ({ page, problems } = await openPage(browser, origin));
  page.setDefaultTimeout(15_000);
});
after(async () => {
  await page?.screenshot({ path: `${artifacts}/who-may-do-what-last.png` }).catch(() => {});
  await browser?.close();
  manager?.kill();
  await new Promise((ended) => (manager && manager.exitCode === null ? manager.once('exit', ended) : ended(null)));
  rmSync(folder, { recursive: true, force: true });
});

const navigation = () => page.getByRole('navigation', { name: 'Pages' });
const person = () => page.getByRole('region', { name: 'Who uses this page' });
const toast = (/** @type {string | RegExp} */ text) => page.getByRole('region', { name: 'New messages' }).getByText(text).first();
const signOut = () => person().getByRole('button', { name: 'Sign out' }).click();
/** @param {string} token @param {string} name */
async function signIn(token, name) {
  await page.getByLabel('Token', { exact: true }).fill(token);
  await page.getByLabel(/^Your name/).fill(name);
  await page.keyboard.press('Enter');
}
/** What the browser says about requests that were refused, which is what the test is about. */
function forgetRefusals() {
  const other = problems.filter((problem) => !/status of 40[13]/.test(problem));
  problems.splice(0, problems.length, ...other);
}
/** The pages in the navigation, without what is counted beside them. */
const pagesOffered = async () => (await navigation().locator('li').allInnerTexts()).map((text) => text.split('\n')[0]?.trim());

test('without a token nothing is shown, and a wrong one is refused in words', async () => {
  await page.goto(`${origin}/app/jobs/${job.id}`);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  assert.equal(await navigation().count(), 0);
  await picture(page, artifacts, 'roles-sign-in');
  await signIn('not a token of theirs', '');
  await page.getByRole('alert').getByText(/token/).waitFor();
  forgetRefusals();
});

test('a viewer sees everything but settings and audit trail, and is offered nothing to change', async () => {
  await signIn(TOKENS.viewer, 'Visitor');
  await toast('Signed in as Visitor, viewer: you may look at everything.').waitFor();
  await page.getByRole('heading', { level: 1, name: job.name }).waitFor();
  assert.match(await person().innerText(), /Visitor, viewer/);
  assert.deepEqual(await pagesOffered(), ['Home', 'Jobs', 'Shots', 'Workers', 'Tags', 'Last rendered']);
  for (const name of ['Pause', 'Cancel', 'Requeue', 'Delete …']) assert.equal(await page.getByRole('button', { name, exact: true }).count(), 0, name);
  await picture(page, artifacts, 'roles-viewer-job');

  await visit(page, `${origin}/app/jobs/${job.id}/details`);
  await page.getByRole('heading', { name: 'Blocked workers' }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Change the priority' }).count(), 0);

  await visit(page, `${origin}/app/workers?worker=${worker}`);
  await page.getByRole('region', { name: /^Worker / }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Change status' }).count(), 0);
  const enabled = page.getByRole('switch', { name: 'worker of the test gets tasks' });
  assert.ok(await enabled.isDisabled());
  assert.match((await enabled.getAttribute('title')) ?? '', /takes the role admin/);
  // The key that disables a worker.
  await page.keyboard.press('d');
  assert.equal(await page.getByRole('dialog').count(), 0);

  await visit(page, `${origin}/app/tags`);
  await page.getByRole('heading', { name: 'No tags yet' }).waitFor();
  assert.equal(await page.getByLabel('Name of a new tag').count(), 0);
});

test('a page for admins says so, and the palette does not lead there', async () => {
  for (const path of ['/app/settings', '/app/audit', '/app/log']) {
    await visit(page, origin + path);
    await page.getByRole('heading', { name: 'This page is for the role admin' }).waitFor();
    await page.getByText('you are signed in as viewer').waitFor();
  }
  await page.keyboard.press('Control+k');
  const palette = page.getByRole('dialog', { name: 'Find' });
  await palette.getByRole('option', { name: /Home/ }).waitFor();
  assert.equal(await palette.getByRole('option', { name: /Settings|Audit/ }).count(), 0);
  await palette.getByRole('option', { name: /Sign out/ }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
});

test('an artist pauses a job', async () => {
  await page.goto(`${origin}/app/jobs/${job.id}`);
  assert.equal(await page.getByLabel(/^Your name/).inputValue(), 'Visitor', 'the name is remembered');
  await signIn(TOKENS.artist, 'Lighting');
  await toast('Signed in as Lighting, artist: you may submit and change jobs.').waitFor();
  assert.deepEqual(await pagesOffered(), ['Home', 'Jobs', 'Shots', 'Workers', 'Tags', 'Last rendered']);
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await until('the job is paused', async () => (await as(`/api/v3/jobs/${job.id}`, TOKENS.viewer)).status === 'paused');
  await signOut();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
});

test('an admin sees who paused the job, and gets to it by keyboard', async () => {
  await page.goto(`${origin}/app/audit`);
  await signIn(TOKENS.admin, 'Wrangler');
  const grid = page.getByRole('grid', { name: 'Audit trail' });
  const paused = grid.getByRole('row').filter({ hasText: 'Paused a job' });
  await paused.waitFor();
  for (const text of ['Lighting', 'artist', job.name, '127.0.0.1']) assert.ok((await paused.innerText()).includes(text), text);
  await picture(page, artifacts, 'roles-audit');

  await page.keyboard.press('/');
  await page.keyboard.type('lighting');
  await page.waitForURL(/name=lighting/);
  // Signing in, and the pause: the job was submitted by somebody without a name.
  await until('only those of Lighting', async () => !(await grid.getByText('Wrangler').count()) && (await grid.getByRole('row').count()) > 1);
  await page.getByLabel('What was done').selectOption('setJobStatus');
  await page.waitForURL(/operation=setJobStatus/);
  await page.getByText('1 change: all there are').waitFor();
  await page.reload();
  await page.getByText('1 change: all there are').waitFor();
  await grid.focus();
  await page.keyboard.press('ArrowDown');
  await page.getByRole('region', { name: 'Entry' }).getByText(/pause-requested/).waitFor();
  await picture(page, artifacts, 'roles-audit-entry');
  // On the small screen of the second picture, the entry has covered the grid.
  await grid.focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(new RegExp(`/app/jobs/${job.id}$`));
});

test('everything about one job, and what nobody did', async () => {
  await visit(page, `${origin}/app/audit?object=${job.id}`);
  await page.getByText('2 changes: all there are').waitFor();
  await page.getByRole('button', { name: /^Only Job of/ }).click();
  await page.waitForURL((url) => !url.search.includes('object'));
  await visit(page, `${origin}/app/audit?name=nobody`);
  await page.getByRole('heading', { name: 'Nothing like that is on record' }).waitFor();
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await page.getByRole('grid', { name: 'Audit trail' }).getByText('Submitted a job').waitFor();
});

test('who changes the admin token stays signed in', async () => {
  await visit(page, `${origin}/app/settings#access`);
  const field = (/** @type {string} */ name) => page.getByLabel(name, { exact: true });
  await field('Admin token').fill(TOKENS.artist);
  await field('Artist token').fill(TOKENS.artist);
  await page.getByText('This is the admin token. Every role has a token of its own.').waitFor();
  await page.getByRole('button', { name: 'Undo edits' }).click();
  await field('Admin token').fill(NEW_TOKEN);
  await field('Without a token').selectOption('viewer');
  await picture(page, artifacts, 'roles-settings');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('Saved.').waitFor();
  assert.match(await person().innerText(), /Wrangler, admin/);
  assert.equal(await field('Admin token').inputValue(), '', 'it is not shown again');
  TOKENS.admin = NEW_TOKEN;
  await as('/api/v3/configuration/file', NEW_TOKEN);
  await signOut();
  await page.getByRole('heading', { name: 'This page is for the role admin' }).waitFor();
});

test('what can be done without a token is offered to who is not signed in, and no more when it may not', async () => {
  await setWithoutToken('artist');
  await visit(page, `${origin}/app/jobs/${job.id}`);
  assert.match(await person().innerText(), /Not signed in, artist/);
  const requeue = page.getByRole('button', { name: 'Requeue', exact: true });
  await requeue.waitFor();
  await setWithoutToken('viewer');
  await requeue.click();
  await toast(/viewer|token/).waitFor();
  await requeue.waitFor({ state: 'detached' });
  assert.match(await person().innerText(), /Not signed in, viewer/);
  assert.equal((await as(`/api/v3/jobs/${job.id}`, NEW_TOKEN)).status, 'paused');
  forgetRefusals();
});

test('a role that is not enough any more is told in the words of the manager', async () => {
  await person().getByRole('link', { name: 'Sign in' }).click();
  await page.getByText('Without signing in, you may look at everything').waitFor();
  await picture(page, artifacts, 'roles-sign-in-more');
  await page.getByRole('link', { name: 'Back' }).click();
  await page.getByRole('heading', { level: 1, name: job.name }).waitFor();
  await person().getByRole('link', { name: 'Sign in' }).click();
  await signIn(TOKENS.artist, 'Lighting');
  await page.waitForURL(new RegExp(`/app/jobs/${job.id}$`));
  const requeue = page.getByRole('button', { name: 'Requeue', exact: true });
  await requeue.waitFor();
  // The same browser becomes a viewer in another window.
  const session = { token: TOKENS.viewer, name: 'Visitor' };
  await page.context().request.post(`${origin}/api/v3/session`, { data: session });
  await requeue.click();
  await toast(/artist/).waitFor();
  await requeue.waitFor({ state: 'detached' });
  assert.match(await person().innerText(), /Visitor, viewer/);
  forgetRefusals();
});

test('all along: no error, nothing refused by the policy, nothing from outside', () => {
  assert.deepEqual(problems, []);
});
