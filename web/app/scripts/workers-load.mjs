// A farm of workers that only tell how their machines are doing, and what a browser that shows them costs.

const EVERY = 5000;
const TYPES = ['blender', 'ffmpeg', 'file-management', 'misc'];
const GB = 1024 ** 3;

/**
 * Registers workers that report their machine every five seconds, spread over these, until told to stop.
 * @param {string} origin of the manager
 * @param {number} count
 */
export async function reportingWorkers(origin, count) {
  /** @type {Set<unknown>} */
  const failures = new Set();
  const post = async (/** @type {string} */ path, /** @type {object} */ body, /** @type {Record<string, string>} */ more = {}) => {
    const headers = { 'content-type': 'application/json', ...more };
    const answer = await fetch(`${origin}/api/v3/worker/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return answer;
  };
  /** @type {NodeJS.Timeout[]} */
  const timers = [];
  for (let number = 0; number < count; number++) {
    const [name, secret] = [`render-${String(number + 1).padStart(3, '0')}`, 'nobody needs to know this'];
    const { uuid } = await (await post('register-worker', { name, secret, platform: 'linux', supported_task_types: TYPES })).json();
    const as = { authorization: `Basic ${Buffer.from(`${uuid}:${secret}`).toString('base64')}` };
    await post('sign-on', { name, software_version: '3.9.0', supported_task_types: TYPES }, as);
    await post('state-changed', { status: 'awake' }, as);
    const report = () => {
      const [cpu, memory] = [40 + Math.random() * 60, (20 + Math.random() * 30) * GB];
      const load = { cpu_percent: cpu, cores_percent: Array.from({ length: 32 }, () => cpu), load_1: 30, load_5: 28, load_15: 25, memory_used: Math.round(memory), memory_total: 64 * GB };
      const disks = [['root', '/'], ['temp', '/tmp'], ['output', '/shared']].map(([purpose, path]) => ({ purpose, path, used: 600 * GB, total: 1000 * GB }));
      const body = { now: new Date().toISOString(), load, state: { uptime_s: 1000, disks } };
      post('machine', body, as).catch((cause) => failures.add(cause));
    };
    timers.push(setTimeout(() => {
      report();
      timers.push(setInterval(report, EVERY));
    }, (number * EVERY) / count));
  }
  return {
    /** Ends the reports; throws if one of them was refused. */
    stop() {
      for (const timer of timers) clearInterval(timer);
      const [first] = failures;
      if (first) throw first;
    },
  };
}

/**
 * How much of a processor a page takes while nobody touches it, in percent: its main thread (`TaskDuration` of the
 * DevTools protocol), and all processes of the browser together.
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').Page} page
 * @param {number} seconds
 */
export async function costOf(browser, page, seconds) {
  const [tab, whole] = [await page.context().newCDPSession(page), await browser.newBrowserCDPSession()];
  await tab.send('Performance.enable');
  const look = async () => {
    const { metrics } = await tab.send('Performance.getMetrics');
    const { processInfo } = await whole.send('SystemInfo.getProcessInfo');
    const tasks = metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN;
    return { at: performance.now() / 1000, tasks, all: processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0) };
  };
  const before = await look();
  await new Promise((done) => setTimeout(done, seconds * 1000));
  const after = await look();
  const share = (/** @type {'tasks' | 'all'} */ key) => (100 * (after[key] - before[key])) / (after.at - before.at);
  return { mainThread: share('tasks'), browser: share('all') };
}
