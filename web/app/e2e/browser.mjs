// A browser that watches itself: every error, every refused style or script, and every request to another origin counts.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const EXECUTABLE = process.env.FLAMENCO_CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

/**
 * @param {string[]} more further arguments of the browser
 * @returns {Promise<import('playwright-core').Browser>}
 */
export function launch(more = []) {
  return chromium.launch({ executablePath: EXECUTABLE, args: [...ARGUMENTS, ...more] });
}

/**
 * Opens a page that keeps a list of what should not have happened.
 * @param {import('playwright-core').Browser} browser
 * @param {string} origin the only origin that the page may talk to
 */
export async function openPage(browser, origin, viewport = DESKTOP) {
  const context = await browser.newContext({ viewport, colorScheme: 'dark' });
  const page = await context.newPage();
  /** @type {string[]} */
  const problems = [];
  // A browser reports what the Content-Security-Policy refused as an error on the console, too.
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`page error: ${error.message}`));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (/^(?:https?|wss?):$/.test(url.protocol) && url.host !== new URL(origin).host) problems.push(`request to ${url}`);
  });
  page.on('websocket', (socket) => {
    if (new URL(socket.url()).host !== new URL(origin).host) problems.push(`socket to ${socket.url()}`);
  });
  return { context, page, problems };
}

/**
 * Goes to a page of the farm, and waits until the app is there: keys that are pressed before that are nobody's.
 * @param {import('playwright-core').Page} page
 * @param {string} address
 */
export async function visit(page, address) {
  await page.goto(address);
  await page.locator('[data-feed=connected]').waitFor({ state: 'attached' });
}

/**
 * Takes a picture of the page at both sizes, and puts the size back.
 * @param {import('playwright-core').Page} page
 * @param {string} folder
 * @param {string} name
 */
export async function picture(page, folder, name) {
  mkdirSync(folder, { recursive: true });
  const before = page.viewportSize() ?? DESKTOP;
  // Nothing is under the mouse in a picture.
  await page.mouse.move(0, 0);
  try {
    for (const [label, size] of /** @type {const} */ ([['desktop', DESKTOP], ['phone', PHONE]])) {
      await page.setViewportSize(size);
      // The layout follows its container, which is told of a new size with the next frame.
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      const wider = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      await page.screenshot({ path: join(folder, `${name}-${label}.png`) });
      if (wider) throw new Error(`${name}: the page is wider than the screen of ${size.width} pixels`);
    }
  } finally {
    await page.setViewportSize(before);
  }
}
