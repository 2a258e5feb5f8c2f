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
  await page.getByRole('button', { name: 'Open the farm' }).click();
  await page.getByRole('heading', { name: 'No jobs yet' }).waitFor();
  await page.locator('[data-feed=connected]').waitFor({ state: 'attached' });
  assert.match(page.url(), /\/app\/jobs$/);
  await page.goto(`${origin}/app/setup/storage`);
  await page.waitForURL(/\/app\/jobs$/);
  assert.equal(manager.exitCode, null, 'it is the same process');
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
