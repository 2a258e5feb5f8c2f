// Somebody starts a manager for the first time, without a configuration file, and sets it up in the browser. The manager
// and its folder belong to this test.
//
//   FLAMENCO_PROGRAMS   folder of flamenco-manager, ../../target/debug if not given
//   FLAMENCO_ARTIFACTS  folder for screenshots
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, openPage, picture } from './browser.mjs';
import { freePort, until } from './manager.mjs';

const programs = resolve(process.env.FLAMENCO_PROGRAMS ?? '../../target/debug');
const artifacts = resolve(process.env.FLAMENCO_ARTIFACTS ?? 'test-artifacts');
const folder = mkdtempSync(join(tmpdir(), 'flamenco-first-start.'));
const storage = join(folder, 'shared storage');
const configuration = join(folder, 'flamenco-manager.yaml');

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
/** @type {string} */
let token;

async function isFirstRun() {
  const answer = await fetch(new URL('/api/v3/configuration', origin));
  return (await answer.json()).isFirstRun;
}

before(async () => {
  mkdirSync(artifacts, { recursive: true });
  const listen = `127.0.0.1:${await freePort()}`;
  origin = `http://${listen}`;
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, FLAMENCO_LISTEN: listen };
  delete env.FLAMENCO_DATABASE;
  delete env.FLAMENCO_SHARED_STORAGE;
  manager = spawn(join(programs, 'flamenco-manager'), { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  manager.stderr?.pipe(createWriteStream(join(artifacts, 'first-start-manager.log')));
  await until('the manager answers', () => isFirstRun().then(() => true, () => false));
  browser = await launch();
  ({ page, problems } = await openPage(browser, origin));
  page.setDefaultTimeout(15_000);
});
after(async () => {
  await page?.screenshot({ path: `${artifacts}/first-start-last.png` }).catch(() => {});
  await browser?.close();
  manager?.kill();
  await new Promise((ended) => (manager && manager.exitCode === null ? manager.once('exit', ended) : ended(null)));
  rmSync(folder, { recursive: true, force: true });
});

const heading = (/** @type {string} */ name) => page.getByRole('heading', { level: 1, name, exact: true });
const next = () => page.getByRole('button', { name: 'Next' });
const path = () => page.getByLabel('Path of the shared storage');
const step = (/** @type {string} */ name) => page.getByRole('navigation', { name: 'Steps' }).getByRole('button', { name });

test('every address leads to the assistant', async () => {
  assert.equal(await isFirstRun(), true);
  assert.ok(!existsSync(configuration), 'there is no configuration file');
  for (const address of ['/app/workers', '/app/setup/review', '/']) {
    await page.goto(`${origin}${address}`);
    await page.waitForURL(/\/app\/setup/);
  }
  await page.goto(`${origin}/app/jobs/6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11`);
  await heading('Welcome to Flamenco').waitFor();
  await page.waitForURL(/\/app\/setup$/);
  assert.equal(await page.getByRole('link', { name: /^Workers/ }).count(), 0, 'nothing of the farm is shown');
  await picture(page, artifacts, 'setup-1-welcome');
});

test('a later step cannot be had before its time', async () => {
  assert.ok(await step('Blender').isDisabled());
  await page.goto(`${origin}/app/setup/review`);
  await heading('Shared storage').waitFor();
});

test('a path that does not work says why, and goes no further', async () => {
  await page.goto(`${origin}/app/setup/welcome`);
  await page.getByRole('button', { name: 'Let’s go' }).press('Enter');
  await heading('Shared storage').waitFor();
  await page.waitForFunction(() => document.activeElement?.id === 'storage');
  await page.keyboard.press('Enter');
  await page.getByText('the path is empty').waitFor();
  await page.keyboard.type(storage);
  await page.getByText('does not exist').waitFor();
  await page.keyboard.press('Enter');
  await page.locator('[data-usable=false]').waitFor();
  await heading('Shared storage').waitFor();
  assert.equal(await path().getAttribute('aria-invalid'), 'true');
  await picture(page, artifacts, 'setup-2-storage-refused');
});

test('a folder that is there will do, and Enter goes on', async () => {
  mkdirSync(storage);
  await path().fill(` ${storage} `);
  await page.locator('[data-usable=true]').waitFor();
  await picture(page, artifacts, 'setup-3-storage');
  await page.keyboard.press('Enter');
  await heading('Blender').waitFor();
});

test('what was entered survives going back and reloading', async () => {
  await page.goBack();
  await heading('Shared storage').waitFor();
  assert.equal(await path().inputValue(), ` ${storage} `);
  await page.goForward();
  await heading('Blender').waitFor();
  await page.reload();
  await heading('Blender').waitFor();
  await step('Shared storage').click();
  await heading('Shared storage').waitFor();
  assert.equal(await path().inputValue(), ` ${storage} `);
  await next().click();
  await heading('Blender').waitFor();
});

test('the Blender of this machine is found, and another one is tried out', async () => {
  await page.getByRole('radio', { name: /^The command “blender”/ }).waitFor();
  await page.getByText(/Blender \d+\.\d+/).first().waitFor();
  assert.ok(await page.getByRole('radio', { name: /^The command “blender”/ }).isChecked(), 'the first that runs is chosen');
  await picture(page, artifacts, 'setup-4-blender');

  await page.getByRole('radio', { name: 'Another one' }).check();
  await page.getByLabel('Path of Blender').fill('/bin/ls');
  await next().click();
  await page.getByText('/bin/ls is not Blender').waitFor();
  await heading('Blender').waitFor();
  await picture(page, artifacts, 'setup-5-blender-refused');

  const own = join(folder, 'blender');
  writeFileSync(own, '#!/bin/sh\necho "Blender 9.9.9"\n', { mode: 0o755 });
  await page.getByLabel('Path of Blender').fill(folder);
  // A single Enter: the check, and then on.
  await page.keyboard.press('Enter');
  await heading('Files and platforms').waitFor();
  await next().click();
  await heading('Who may use this farm?').waitFor();
  await next().click();
  await heading('Review').waitFor();
  await page.getByText(own).waitFor();
  await page.getByRole('button', { name: 'Change Blender' }).click();
  await heading('Blender').waitFor();
});

test('Blender can be skipped', async () => {
  await page.getByRole('radio', { name: 'Skip this' }).check();
  await next().click();
  await heading('Files and platforms').waitFor();
});

test('paths of other platforms must be such, and nothing has to be entered', async () => {
  const windows = page.getByRole('group', { name: 'Windows' });
  assert.equal(await page.getByRole('group', { name: 'Linux' }).count(), 0, 'the manager runs on it');
  await windows.getByLabel('Shared storage').fill('/mnt/farm');
  await next().click();
  await windows.getByRole('alert').getByText('drive letter').waitFor();
  assert.equal(await windows.getByLabel('Shared storage').getAttribute('aria-invalid'), 'true');
  await picture(page, artifacts, 'setup-5-platforms-refused');
  await windows.getByLabel('Shared storage').fill('F:\\farm');
  await windows.getByLabel('Blender').fill('C:\\Blender\\blender.exe');
  await page.getByRole('checkbox', { name: 'Send files through the Shaman store' }).uncheck();
  await picture(page, artifacts, 'setup-5-platforms');
  await next().click();
  await heading('Who may use this farm?').waitFor();
});

test('everybody may use it, unless somebody wants tokens, which are made up', async () => {
  assert.ok(await page.getByRole('radio', { name: /^Everybody on this network/ }).isChecked());
  await page.getByRole('radio', { name: 'People with a token' }).check();
  token = (await page.getByLabel('Admin token', { exact: true }).innerText()).trim();
  assert.ok(token.length > 16, token);
  await page.getByRole('checkbox', { name: /^One for artists/ }).check();
  await page.getByLabel('Without a token, people may').selectOption('viewer');
  await picture(page, artifacts, 'setup-6-access');
  // What may have been copied already does not change.
  await page.reload();
  await page.getByText(token).waitFor();
  await next().click();
  await heading('Review').waitFor();
  await page.getByText('Whatever Blender each worker finds').waitFor();
  await page.getByText('People with the admin token or the artist token').waitFor();
  await page.getByText('without the Shaman store').waitFor();
  await page.getByText('F:\\farm').waitFor();
  await picture(page, artifacts, 'setup-7-review');
});

test('a manager that cannot write its configuration says so, and nothing is lost', async () => {
  // A folder where the temporary file's target is: renaming over it fails for everybody, root included.
  mkdirSync(join(configuration, 'in the way'), { recursive: true });
  const expected = problems.length;
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByRole('alert').waitFor();
  assert.equal(await isFirstRun(), true);
  rmSync(configuration, { recursive: true });
  // The browser reports the refused request, which is what this test is about.
  const reported = problems.splice(expected);
  assert.ok(reported.every((problem) => problem.includes('500')), reported.join('\n'));
});

test('after confirming, the manager starts again and the farm appears', async () => {
  await page.getByRole('button', { name: 'Confirm' }).click();
  await heading('Your farm is ready').waitFor();
  await page.getByText(token).waitFor();
  await picture(page, artifacts, 'setup-8-done');
  const written = readFileSync(configuration, 'utf8');
  assert.ok(written.includes(storage), written);
  assert.equal(await isFirstRun(), false);
  const state = await (await fetch(new URL('/api/v3/configuration', origin))).json();
  assert.equal(state.shamanEnabled, false);
  const admin = { headers: { authorization: `Bearer ${token}` } };
  const variables = await (await fetch(new URL('/api/v3/configuration/variables/workers/windows', origin), admin)).json();
  assert.deepEqual(variables.shared_storage, { value: 'F:\\farm', is_twoway: true });
  assert.equal(variables.blender.value, 'C:\\Blender\\blender.exe');
  await page.getByText(`./flamenco-worker -manager ${origin}/`).waitFor();
  await page.getByText(`flamenco-worker.exe -manager ${origin}/`).waitFor();
  await page.getByRole('button', { name: 'Copy the address' }).waitFor();
  assert.equal(await page.getByRole('link', { name: 'Download flamenco-addon.zip' }).getAttribute('href'), '/flamenco-addon.zip');
  await page.getByRole('button', { name: 'Open the farm' }).click();
  await page.getByRole('heading', { name: 'No jobs yet' }).waitFor();
  await page.locator('[data-feed=connected]').waitFor({ state: 'attached' });
  assert.match(page.url(), /\/app\/jobs$/);
  await page.goto(`${origin}/app/setup/storage`);
  await page.waitForURL(/\/app\/jobs$/);
  assert.equal(manager.exitCode, null, 'it is the same process');
});

test('a file that somebody has broken is told of, and not started with', async () => {
  const good = readFileSync(configuration, 'utf8');
  writeFileSync(configuration, `${good}\ntask_timeout: soon\n`.replace(/^task_timeout: .*$/m, ''));
  await page.goto(`${origin}/app/settings`);
  await page.getByRole('alert').getByText('could not start with the file as it is now').waitFor();
  const expected = problems.length;
  await page.getByRole('button', { name: 'More for the manager' }).click();
  await page.getByRole('menuitem', { name: 'Restart the manager …' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Restart now' }).click();
  await page.getByRole('alert').getByText('cannot start again, and goes on as it is').waitFor();
  await picture(page, artifacts, 'settings-broken-file');
  // The browser reports the refusal, which is what this test is about.
  assert.ok(problems.splice(expected).every((problem) => problem.includes('409')));
  assert.equal(await isFirstRun(), false, 'it runs on');

  writeFileSync(configuration, good);
  await page.getByRole('button', { name: 'More for the manager' }).click();
  await page.getByRole('menuitem', { name: 'Restart the manager …' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Restart now' }).click();
  await page.getByText('The manager has started again.').waitFor({ timeout: 60_000 });
  problems.splice(expected);
  // What the environment overrules says so at its field.
  await page.locator('[data-key="listen"]').getByText('from the environment variable FLAMENCO_LISTEN').waitFor();
});

test('whoever set the tokens is signed in, and others may only look', async () => {
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  await page.getByRole('link', { name: 'Settings' }).waitFor();
  const settings = new URL('/api/v3/configuration/file', origin);
  assert.equal((await fetch(settings)).status, 401);
  assert.equal((await fetch(settings, { headers: { authorization: `Bearer ${token}` } })).status, 200);
  assert.equal((await fetch(new URL('/api/v3/jobs', origin))).status, 200);
});

test('all along: no error, nothing refused by the policy, nothing from outside', () => {
  assert.deepEqual(problems, []);
});
