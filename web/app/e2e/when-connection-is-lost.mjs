// The connection breaks, things happen meanwhile, and it comes back: with the same manager, and with another version.
//
//   FLAMENCO_URL        the manager, http://localhost:8080 if not given
//   FLAMENCO_ARTIFACTS  folder for screenshots
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, picture } from './browser.mjs';
import { jobStatus, sleepJob, submit, until } from './manager.mjs';

const origin = process.env.FLAMENCO_URL ?? 'http://localhost:8080';
const artifacts = process.env.FLAMENCO_ARTIFACTS ?? 'test-artifacts';

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {Set<import('playwright-core').WebSocketRoute>} */
const sockets = new Set();
let cut = false;

before(async () => {
  browser = await launch();
  ({ page } = await openPage(browser, origin));
  page.setDefaultTimeout(20_000);
  await page.routeWebSocket(/socket\.io/, (socket) => {
    if (cut) {
      void socket.close();
      return;
    }
    const server = socket.connectToServer();
    server.onMessage((message) => socket.send(message));
    socket.onMessage((message) => {
      // The connection began by polling, and has moved to this socket with this message.
      if (message === '5') sockets.add(socket);
      server.send(message);
    });
  });
  await page.route('**/socket.io/**', (route) => (cut ? route.abort() : route.continue()));
});
after(async () => {
  await page?.screenshot({ path: `${artifacts}/connection-last.png` }).catch(() => {});
  await browser?.close();
});

async function lose() {
  cut = true;
  for (const socket of sockets) await socket.close().catch(() => {});
  sockets.clear();
  await page.getByRole('alert').getByText('The connection to the manager is lost').waitFor();
}

async function comeBack() {
  cut = false;
  await page.locator('[data-feed=connected]').waitFor({ state: 'attached' });
  await page.getByText('The connection to the manager is lost').waitFor({ state: 'detached' });
}

test('what happened while the connection was lost is caught up with', async () => {
  await page.goto(`${origin}/app/jobs`);
  await page.locator('[data-feed=connected]').waitFor({ state: 'attached' });
  await until('there is a socket', async () => sockets.size > 0, 10_000);
  await page.evaluate(() => Object.assign(window, { watched: true }));
  await lose();
  await picture(page, artifacts, 'connection-lost');
  const job = await submit(origin, sleepJob('Job of the dark minutes', 1));
  await until('the job completes', async () => (await jobStatus(origin, job.id)) === 'completed');
  const row = page.locator(`[role=row][data-id="${job.id}"]`);
  assert.equal(await row.count(), 0);
  await comeBack();
  await row.locator('[data-status=completed]').waitFor();
  await page.getByRole('button', { name: /^Messages/ }).click();
  const messages = page.getByRole('list', { name: 'Messages, newest first' });
  for (const text of ['was lost.', 'is back.']) await messages.getByText(`The connection to the manager ${text}`).waitFor();
  await page.keyboard.press('Escape');
  assert.equal(await page.getByRole('button', { name: 'Reload the page' }).count(), 0);
  assert.ok(await page.evaluate(() => 'watched' in window), 'the page was reloaded');
});

test('another version says so, and takes nothing away', async () => {
  sockets.clear();
  await page.goto(`${origin}/app/settings#failures`);
  await page.locator('[data-feed=connected]').waitFor({ state: 'attached' });
  await until('there is a socket', async () => sockets.size > 0, 10_000);
  await page.getByLabel('Task timeout').fill('23m');
  await page.route('**/api/v3/version', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), version: '99.0' } });
  });
  await lose();
  await comeBack();
  await page.getByText('Another version of the manager is running now.').waitFor();
  await page.getByRole('button', { name: 'Reload the page' }).waitFor();
  assert.equal(await page.getByLabel('Task timeout').inputValue(), '23m');
  await picture(page, artifacts, 'new-version');
});

test('a page that nobody looks after takes the new version by itself, but never from under somebody who writes', async () => {
  // Five minutes of nobody are four seconds here.
  await page.addInitScript(() => {
    const real = window.setTimeout;
    Object.assign(window, {
      setTimeout: (/** @type {TimerHandler} */ action, /** @type {number | undefined} */ delay, /** @type {unknown[]} */ ...rest) =>
        real(action, delay === 5 * 60_000 ? 4000 : delay, ...rest),
    });
  });
  await page.unroute('**/api/v3/version');
  sockets.clear();
  await page.goto(`${origin}/app/tags`);
  await page.locator('[data-feed=connected]').waitFor({ state: 'attached' });
  await until('there is a socket', async () => sockets.size > 0, 10_000);
  await page.evaluate(() => Object.assign(window, { watched: true }));
  const isSame = () => page.evaluate(() => 'watched' in window);
  await page.waitForTimeout(6000);
  assert.ok(await isSame(), 'without another version there is no reason to reload');

  await page.getByLabel('Name of a new tag').fill('half a na');
  await page.route('**/api/v3/version', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), version: '99.0' } });
  });
  await lose();
  await comeBack();
  await page.getByText('Another version of the manager is running now.').waitFor();
  await page.waitForTimeout(6000);
  assert.ok(await isSame(), 'the page was reloaded while somebody was writing');
  assert.equal(await page.getByLabel('Name of a new tag').inputValue(), 'half a na');

  await page.getByLabel('Name of a new tag').fill('');
  await until('the page is reloaded', async () => !(await isSame().catch(() => true)), 15_000);
  await page.locator('[data-feed=connected]').waitFor({ state: 'attached' });
  assert.equal(await page.getByRole('button', { name: 'Reload the page' }).count(), 0, 'this is the new version');
  assert.match(page.url(), /\/app\/tags$/);
});
