// The manager's API, as far as the browser tests need it.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * @param {string} origin
 * @param {string} path
 * @param {RequestInit} [init]
 */
export async function ask(origin, path, init) {
  const response = await fetch(new URL(path, origin), init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${init?.method ?? 'GET'} ${path} answered ${response.status}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

/** The job to watch: the JSON file named by FLAMENCO_JOB, or some seconds of sleep. */
export function watchedJob() {
  const file = process.env.FLAMENCO_JOB;
  if (file) return JSON.parse(readFileSync(file, 'utf8'));
  return sleepJob('Watched job <b>&amp;</b>', 4);
}

/**
 * A job that any worker can do.
 * @param {string} name
 * @param {number} repeats number of tasks that sleep for a second
 */
export function sleepJob(name, repeats) {
  return {
    name,
    type: 'echo-sleep-test',
    priority: 50,
    submitter_platform: 'manager',
    settings: { message: 'hello from the browser test', sleep_duration_seconds: 1, sleep_repeats: repeats },
    metadata: { 'user.name': 'browser test' },
  };
}

/**
 * @param {string} origin
 * @param {object} job
 * @returns {Promise<{ id: string, name: string }>}
 */
export function submit(origin, job) {
  const headers = { 'content-type': 'application/json' };
  return ask(origin, '/api/v3/jobs', { method: 'POST', headers, body: JSON.stringify(job) });
}

/**
 * @param {string} origin
 * @param {string} id
 */
export async function jobStatus(origin, id) {
  return (await ask(origin, `/api/v3/jobs/${id}`)).status;
}

/**
 * The id of the first task of a job.
 * @param {string} origin
 * @param {string} job
 * @returns {Promise<string>}
 */
export async function firstTask(origin, job) {
  return (await ask(origin, `/api/v3/jobs/${job}/tasks`)).tasks[0].id;
}

/**
 * @param {string} origin
 * @param {string} id of the job
 * @param {number} frame
 * @returns {Promise<{ state: string, files: { attempt: number }[] }>}
 */
export function frameDetails(origin, id, frame) {
  return ask(origin, `/api/v3/jobs/${id}/frames/${frame}`);
}

/** @param {string} origin */
export async function jobCount(origin) {
  return (await ask(origin, '/api/v3/jobs')).jobs.length;
}

/**
 * @param {string} origin
 * @returns {Promise<{ id: string, name: string, status: string, enabled?: boolean }[]>}
 */
export async function workers(origin) {
  return (await ask(origin, '/api/v3/worker-mgt/workers')).workers;
}

/**
 * Waits until a question is answered with true.
 * @param {string} what for the message when it never is
 * @param {() => Promise<boolean>} question
 */
export async function until(what, question, timeout = 60_000) {
  const end = Date.now() + timeout;
  while (Date.now() < end) {
    if (await question()) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`waited ${timeout / 1000} s in vain: ${what}`);
}

/**
 * @param {string} origin
 * @param {string} id
 * @returns {Promise<string[]>} names of the tags of a worker
 */
export async function tagsOf(origin, id) {
  const worker = await ask(origin, `/api/v3/worker-mgt/workers/${id}`);
  return (worker.tags ?? []).map((/** @type {{ name: string }} */ tag) => tag.name);
}

/**
 * @param {string} origin
 * @param {string} id
 */
export function sleepSchedule(origin, id) {
  return ask(origin, `/api/v3/worker-mgt/workers/${id}/sleep-schedule`);
}

/**
 * @param {string} origin
 * @returns {Promise<Record<string, unknown>>}
 */
export function configuration(origin) {
  return ask(origin, '/api/v3/configuration/file');
}

/**
 * @param {string} origin
 * @param {object} wanted
 */
export async function putConfiguration(origin, wanted) {
  const headers = { 'content-type': 'application/json' };
  await ask(origin, '/api/v3/configuration/file', { method: 'PUT', headers, body: JSON.stringify(wanted) });
}

/**
 * A worker that only exists on paper: it registered and signed on, and asks for nothing.
 * @param {string} origin
 * @param {string} name
 * @returns {Promise<string>} its id
 */
export async function idleWorker(origin, name) {
  const headers = { 'content-type': 'application/json' };
  const secret = 'nobody needs to know this';
  const types = ['blender', 'ffmpeg', 'file-management', 'misc'];
  const registration = { name, platform: 'linux', supported_task_types: types, secret };
  const { uuid } = await ask(origin, '/api/v3/worker/register-worker', { method: 'POST', headers, body: JSON.stringify(registration) });
  const authorization = `Basic ${Buffer.from(`${uuid}:${secret}`).toString('base64')}`;
  const signOn = { name, software_version: '3.9.0', supported_task_types: types };
  await ask(origin, '/api/v3/worker/sign-on', { method: 'POST', headers: { ...headers, authorization }, body: JSON.stringify(signOn) });
  return uuid;
}

/**
 * @param {string} origin
 * @param {string} path
 */
export async function remove(origin, path) {
  await ask(origin, path, { method: 'DELETE' });
}

/**
 * @param {string} origin
 * @param {string} name
 * @returns {Promise<string>} id of the new tag
 */
export async function createTag(origin, name) {
  const headers = { 'content-type': 'application/json' };
  return (await ask(origin, '/api/v3/worker-mgt/tags', { method: 'POST', headers, body: JSON.stringify({ name }) })).id;
}

/**
 * A job of which every task fails, because its blend file is missing.
 * @param {string} name
 * @param {string} folder where the blend file is not
 */
export function hopelessJob(name, folder) {
  return {
    name,
    type: 'simple-blender-render',
    priority: 90,
    submitter_platform: 'linux',
    metadata: { 'user.name': 'browser test' },
    settings: {
      frames: '1-8',
      chunk_size: 1,
      render_output_root: folder,
      add_path_components: 0,
      render_output_path: `${folder}/{timestamp}/######`,
      blendfile: `${folder}/missing.blend`,
      fps: 24,
      format: 'PNG',
      image_file_extension: '.png',
      has_previews: false,
      scene: 'Scene',
    },
  };
}

/**
 * A port that nobody listens on.
 * @returns {Promise<number>}
 */
export function freePort() {
  return new Promise((found, failed) => {
    const server = createServer().once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => found(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
