// Every page, in both themes and at both sizes: what axe-core finds, whether the keyboard gets everywhere, and whether the
// pages are whole when the network outside of the manager is cut off. Needs a running manager with at least one worker.
//
//   FLAMENCO_URL        the manager, http://localhost:8080 if not given
//   FLAMENCO_ARTIFACTS  folder for screenshots, and for what axe-core found
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DESKTOP, launch, openPage, PHONE, visit as go } from './browser.mjs';
import { firstTask, jobStatus, sleepJob, submit, until, workers } from './manager.mjs';

const origin = process.env.FLAMENCO_URL ?? 'http://localhost:8080';
const artifacts = process.env.FLAMENCO_ARTIFACTS ?? 'test-artifacts';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** What the law and common sense ask for. */
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let problems;
/** @type {[name: string, path: string][]} */
let pages;

before(async () => {
  mkdirSync(artifacts, { recursive: true });
  // No name but those of this machine can be looked up: whoever asks for anything from outside gets nothing.
  browser = await launch(['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost']);
  ({ page, problems } = await openPage(browser, origin));
  page.setDefaultTimeout(15_000);

  const job = await submit(origin, sleepJob('Job to look at <i>everywhere</i>', 2));
  await until('the job completes', async () => (await jobStatus(origin, job.id)) === 'completed');
  const task = await firstTask(origin, job.id);
  const [worker] = await workers(origin);
  assert.ok(worker, 'this test needs a worker');
  pages = [
    ['home', '/app/'],
    ['jobs', '/app/jobs'],
    ['jobs, one selected', `/app/jobs?job=${job.id}`],
    ['jobs, none found', '/app/jobs?q=nothing+is+called+this'],
    ['job', `/app/jobs/${job.id}`],
    ['task', `/app/jobs/${job.id}/${task}`],
    ['frames', `/app/jobs/${job.id}/frames`],
    ['preview', `/app/jobs/${job.id}/preview`],
    ['job workers', `/app/jobs/${job.id}/workers`],
    ['job settings', `/app/jobs/${job.id}/settings`],
    ['job details', `/app/jobs/${job.id}/details`],
    ['job history', `/app/jobs/${job.id}/history`],
    ['shots', '/app/shots'],
    ['workers', '/app/workers'],
    ['workers, one selected', `/app/workers?worker=${worker.id}`],
    ['worker', `/app/workers/${worker.id}`],
    ['tags', '/app/tags'],
    ['last rendered', '/app/last-rendered'],
    ['audit trail', '/app/audit'],
    ['audit trail, none found', '/app/audit?name=nobody+is+called+this'],
    ['log of the manager', '/app/log'],
    ['log of the manager, none found', '/app/log?q=nothing+says+this'],
    ...['core', 'storage', 'failures', 'jobtypes', 'mqtt', 'access', 'variables'].map(
      (section) => /** @type {[string, string]} */ ([`settings ${section}`, `/app/settings#${section}`]),
    ),
    ['no such page', '/app/no/such/page'],
    ['no such job', '/app/jobs/6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11'],
    ['no such worker', '/app/workers/6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11'],
  ];
});
after(async () => {
  await page?.screenshot({ path: join(artifacts, 'whole-app-last.png') }).catch(() => {});
  await browser?.close();
});

/** @param {string} path */
async function visit(path) {
  await go(page, origin + path);
  await page.waitForLoadState('networkidle').catch(() => {});
}

/** @param {'dark' | 'light'} theme */
async function setTheme(theme) {
  await page.goto(`${origin}/app/tags`);
  await page.evaluate((wanted) => localStorage.setItem('theme', wanted), theme);
}

/** Rules that the page breaks, each with the elements that do. */
async function findings() {
  await page.evaluate(AXE);
  return page.evaluate(async (rules) => {
    // @ts-expect-error The page has it since the line before.
    const { violations } = await window.axe.run(document, { runOnly: rules, resultTypes: ['violations'] });
    return violations.map((/** @type {any} */ { id, impact, nodes }) => ({
      id,
      impact,
      elements: nodes.map((/** @type {any} */ { html, failureSummary }) => `${html.slice(0, 200)}\n${failureSummary}`),
    }));
  }, RULES);
}

for (const [theme, size] of /** @type {const} */ ([['dark', DESKTOP], ['light', DESKTOP], ['dark', PHONE], ['light', PHONE]])) {
  test(`axe-core finds nothing: ${theme}, ${size.width} pixels`, async (context) => {
    await setTheme(theme);
    await page.setViewportSize(size);
    /** @type {Record<string, unknown>} */
    const all = {};
    for (const [name, path] of pages) {
      await visit(path);
      const found = await findings();
      if (found.length === 0) continue;
      all[name] = found;
      for (const { id, elements } of found) context.diagnostic(`${name}: ${id}, ${elements.length} times: ${elements[0]}`);
    }
    writeFileSync(join(artifacts, `axe-${theme}-${size.width}.json`), JSON.stringify(all, null, 2));
    assert.deepEqual(Object.keys(all), []);
  });
}

test('the keyboard gets to everything, sees where it is, and out again', async () => {
  await page.setViewportSize(DESKTOP);
  for (const [name, path] of pages) {
    await visit(path);
    const reached = new Set();
    let out = false;
    for (let press = 0; press < 150 && !out; press++) {
      await page.keyboard.press('Tab');
      const here = await page.evaluate(() => {
        const element = document.activeElement;
        if (!element || element === document.body) return null;
        const style = getComputedStyle(element);
        const around = element.parentElement ? getComputedStyle(element.parentElement, '::after').borderTopStyle === 'solid' : false;
        const field = element.closest('.field') !== null;
        const marked = style.outlineStyle !== 'none' || style.boxShadow !== 'none' || around || field;
        const named = Boolean(element.getAttribute('aria-label') || element.getAttribute('aria-labelledby') || element.textContent?.trim() || element.getAttribute('title') || /** @type {any} */ (element).labels?.length);
        return { marked, named, html: element.outerHTML.slice(0, 160) };
      });
      if (!here) {
        out = true;
        continue;
      }
      assert.ok(here.named, `${name}: has no name: ${here.html}`);
      assert.ok(here.marked, `${name}: nothing shows that the keyboard is at ${here.html}`);
      reached.add(here.html);
    }
    assert.ok(out, `${name}: the keyboard does not come out at the end`);
    assert.ok(reached.size > 5, `${name}: the keyboard reaches only ${[...reached].join('\n')}`);
  }
});

test('a job is found, opened and left with the keyboard alone', async () => {
  await visit('/app/jobs');
  await page.keyboard.press('/');
  await page.keyboard.type('look at');
  await page.waitForURL(/q=look/);
  await page.keyboard.press('Tab');
  while (!(await page.evaluate(() => document.activeElement?.getAttribute('role') === 'grid'))) await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowDown');
  await page.waitForURL(/job=/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Job to look at <i>everywhere</i>' }).waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('listbox', { name: 'Found' }).waitFor();
  await page.keyboard.type('settings');
  await page.getByRole('option', { name: /settings/i }).first().waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/app\/settings/);
});

test('the addresses of the API page and the add-on are there', async () => {
  await visit('/app/tags');
  for (const name of ['API', 'Blender add-on']) {
    const href = await page.getByRole('link', { name, exact: true }).getAttribute('href');
    const answer = await fetch(new URL(href ?? '', origin));
    // A manager that was built without the add-on says so, and does not send a page under its name.
    assert.ok(answer.ok ? name === 'API' || answer.headers.get('content-type')?.includes('zip') : answer.status === 404, `${name}: ${answer.status}`);
  }
});

test('with the network outside cut off, nothing was asked for there, and fonts are there', async () => {
  await visit('/app/jobs');
  assert.ok(await page.evaluate(() => document.fonts.ready.then(() => document.fonts.check('13px "Inter Variable"'))), 'the font was not loaded');
  assert.deepEqual(problems.filter((problem) => /^(?:request|socket) to/.test(problem)), []);
});

test('all along: no error, nothing refused by the policy', () => {
  // Addresses of jobs and workers that do not exist are visited on purpose.
  assert.deepEqual(problems.filter((problem) => !/status of 404/.test(problem)), []);
});
