// A person looks at the frames of a job in the browser while they are rendered, and has one of them rendered again.
// Needs a running manager with a worker that can render, and the job to submit.
//
//   FLAMENCO_URL        the manager, http://localhost:8080 if not given
//   FLAMENCO_JOB        a JSON file with a job that renders six frames
//   FLAMENCO_ARTIFACTS  folder for screenshots
//   FLAMENCO_TIMEOUT    seconds that the job may take, 120 if not given
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { launch, openPage, picture, visit } from './browser.mjs';
import { ask, frameDetails, jobStatus, submit, until, watchedJob } from './manager.mjs';

const origin = process.env.FLAMENCO_URL ?? 'http://localhost:8080';
const artifacts = process.env.FLAMENCO_ARTIFACTS ?? 'test-artifacts';
const patience = Number(process.env.FLAMENCO_TIMEOUT ?? 120) * 1000;
const FRAMES = 6;

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('playwright-core').Page} */
let page;
/** @type {string[]} */
let problems;
/** @type {{ id: string, name: string }} */
let job;

before(async () => {
  browser = await launch();
  ({ page, problems } = await openPage(browser, origin));
  page.setDefaultTimeout(15_000);
  const wanted = watchedJob();
  wanted.name = 'Frames to look at';
  wanted.metadata = { ...wanted.metadata, shot: 'sh010' };
  wanted.settings.render_output_path = wanted.settings.render_output_path.replace('/watched/', '/frames/');
  job = await submit(origin, wanted);
});
after(async () => {
  await page?.screenshot({ path: `${artifacts}/frames-last.png` }).catch(() => {});
  await browser?.close();
});

/** @param {number} frame */
const tile = (frame) => page.locator(`[role=option][data-frame="${frame}"]`);
/** @param {number} frame */
const stateOf = (frame) => tile(frame).getAttribute('data-state');
/** @param {number} frame */
const pictureOf = (frame) => tile(frame).locator('img');
/** @param {import('playwright-core').Locator} image */
const isLoaded = (image) =>
  image.evaluate((one) => one instanceof HTMLImageElement && one.complete && one.naturalWidth > 0).catch(() => false);
const framePage = () => `${origin}/app/jobs/${job.id}/frames`;

test('each frame has a place from the start, and its picture comes without a reload', async () => {
  await visit(page, framePage());
  await page.getByRole('listbox', { name: 'Frames' }).waitFor();
  await page.evaluate(() => Object.assign(window, { watched: true }));
  await until('there is a place for each frame', async () => (await page.locator('[role=option]').count()) === FRAMES);
  const seen = new Set();
  await until('all frames have come out', async () => {
    for (let frame = 1; frame <= FRAMES; frame++) seen.add(await stateOf(frame));
    for (let frame = 1; frame <= FRAMES; frame++) {
      if ((await stateOf(frame)) !== 'ok' || !(await isLoaded(pictureOf(frame)))) return false;
    }
    return true;
  }, patience);
  assert.ok(seen.has('expected') || seen.has('rendering'), `states seen: ${[...seen].join(', ')}`);
  assert.ok(await page.evaluate(() => 'watched' in window), 'the page was reloaded');
  await picture(page, artifacts, 'frames-1-sheet');
});

test('only tiles in sight exist, and the size of the tiles can be changed', async () => {
  const width = async () => (await tile(1).boundingBox())?.width ?? 0;
  const before = await width();
  await page.getByLabel('Size of the pictures').fill('400');
  assert.ok((await width()) > before, 'the tiles have grown');
  await page.getByLabel('Size of the pictures').fill('200');
});

test('a frame opens in the viewer, and the arrow keys lead to its neighbours', async () => {
  await tile(1).click();
  await page.waitForURL(`${framePage()}/1`);
  const viewer = page.getByRole('dialog', { name: 'Frame 1', exact: true });
  await viewer.getByText('Render time').waitFor();
  await until('the large picture is there', () => isLoaded(viewer.locator('img')));
  await picture(page, artifacts, 'frames-2-viewer');
  await page.keyboard.press('ArrowRight');
  await page.waitForURL(`${framePage()}/2`);
  await page.getByRole('dialog', { name: 'Frame 2', exact: true }).waitFor();
  await page.keyboard.press('Escape');
  await page.waitForURL(framePage());
  assert.equal(await page.getByRole('dialog').count(), 0);
});

test('the file itself is shown, large and in a tab of its own', async () => {
  await visit(page, `${framePage()}/1`);
  const viewer = page.getByRole('dialog', { name: 'Frame 1', exact: true });
  await viewer.getByText(/^Cycles, [0-9,]+ samples?$/).waitFor();
  const address = await viewer.getByRole('link', { name: 'Open original' }).getAttribute('href');
  assert.match(address ?? '', /^\/job-files\/.*\/original-\d+-[0-9a-f]+\.png$/);
  const answer = await fetch(new URL(address ?? '', origin));
  assert.equal(answer.headers.get('content-type'), 'image/png');
  assert.equal(Buffer.from(await answer.arrayBuffer()).subarray(1, 4).toString(), 'PNG');
  await page.keyboard.press('f');
  await until('the file is in the place of its thumbnail', () => isLoaded(viewer.locator(`img[src="${address}"]`)));
  await picture(page, artifacts, 'frames-2-original');
  await page.keyboard.press('Escape');
});

test('a frame is held against its neighbour', async () => {
  await visit(page, `${framePage()}/2`);
  const viewer = page.getByRole('dialog', { name: 'Frame 2', exact: true });
  await viewer.getByRole('button', { name: 'Difference' }).click();
  await viewer.getByText(/^Frames 1 and 2 differ by \d+(?:\.\d)? %/).waitFor();
  const bright = await viewer.locator('canvas').evaluate((one) => {
    const canvas = /** @type {HTMLCanvasElement} */ (one);
    const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    return pixels.some((value, at) => at % 4 !== 3 && value > 24);
  });
  assert.ok(bright, 'the solids have moved');
  await picture(page, artifacts, 'frames-2-difference');
  await page.keyboard.press('c');
  await until('the neighbour is in its place', () => isLoaded(viewer.locator('[data-mode=other] img')));
});

test('a frame leads to the line of the log that tells of it, and that line back to the frame', async () => {
  await page.getByRole('link', { name: 'Where its log says “Saved”' }).click();
  const line = page.locator('[role=log] .current');
  await line.getByRole('link').waitFor();
  assert.match((await line.textContent()) ?? '', /Saved: '.*000002\.png'/);
  await line.getByRole('link').click();
  await page.waitForURL(`${framePage()}/2`);
  await page.keyboard.press('Escape');
});

test('the pictures are saved as an archive that others can read', async () => {
  await visit(page, `${framePage()}?range=2-4`);
  await until('the frames of the range are shown', async () => (await page.locator('[role=option]').count()) === 3);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Pictures' }).click()]);
  assert.equal(download.suggestedFilename(), 'Frames-to-look-at-frames.zip');
  const script = 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), *z.namelist(), *{z.read(n)[:3].hex() for n in z.namelist()})';
  const told = execFileSync('python3', ['-c', script, await download.path()], { encoding: 'utf8' });
  assert.equal(told.trim(), 'None 0002.jpg 0003.jpg 0004.jpg ffd8ff');
  await visit(page, framePage());
});

test('the chart of render times leads to its frames', async () => {
  await page.getByRole('button', { name: 'Render times' }).click();
  await page.waitForURL(/view=times/);
  const chart = page.getByRole('slider', { name: 'Render time of each frame' });
  await page.locator(`[role=slider][aria-valuemax="${FRAMES - 1}"]`).waitFor();
  const box = await chart.boundingBox();
  assert.ok(box);
  // The axis is 56 pixels wide. Not the last bars: a message may lie over them.
  await page.mouse.click(box.x + 56 + ((box.width - 56) / FRAMES) * 1.5, box.y + box.height - 40);
  await page.waitForURL(/\/frames\/2\?/);
  await page.getByRole('dialog', { name: 'Frame 2', exact: true }).waitFor();
  await page.keyboard.press('Escape');
  await picture(page, artifacts, 'frames-3-times');
});

test('the table can be saved', async () => {
  await page.getByRole('button', { name: 'Table' }).click();
  await page.getByRole('grid', { name: 'Frames' }).getByText('000001.png', { exact: true }).waitFor();
  await picture(page, artifacts, 'frames-4-table');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()]);
  const lines = readFileSync(await download.path(), 'utf8').trim().split('\r\n');
  assert.equal(lines.length, 1 + FRAMES);
  assert.match(lines[1] ?? '', /^1,ok,000001\.png,/);
  assert.match(lines[0] ?? '', /,engine,samples,message$/);
  assert.match(lines[1] ?? '', /,CYCLES,\d+,$/);
});

test('the filter lives in the address', async () => {
  await visit(page, `${framePage()}?range=2-4`);
  await until('the frames of the range are shown', async () => (await page.locator('[role=option]').count()) === 3);
  await visit(page, `${framePage()}?status=broken`);
  await page.getByRole('heading', { name: 'No frame matches the filter' }).waitFor();
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await until('all frames are shown', async () => (await page.locator('[role=option]').count()) === FRAMES);
});

test('one frame is rendered again, and the others stay', async () => {
  await tile(3).hover();
  await tile(3).locator('[data-check]').click();
  await page.getByRole('button', { name: 'Requeue 1 frame' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Requeue' }).click();
  await page.getByText('1 frame will be rendered again: 3.').first().waitFor();
  await until('the frame has a second attempt', async () => {
    const details = await frameDetails(origin, job.id, 3);
    return details.state === 'ok' && details.files[0]?.attempt === 2;
  }, patience);
  await until('the page shows it', async () => (await stateOf(3)) === 'ok' && (await isLoaded(pictureOf(3))));
  for (const frame of [1, 2, 4, 5, 6]) {
    assert.equal((await frameDetails(origin, job.id, frame)).files[0]?.attempt, 1, `attempts of frame ${frame}`);
  }
  await until('the job is complete again', async () => (await jobStatus(origin, job.id)) === 'completed', patience);
  await tile(3).click();
  await page.getByRole('columnheader', { name: 'Attempt 2' }).waitFor();
  await page.keyboard.press('Escape');
});

test('a frame that takes its time says how far it is, and one that fails says why', async () => {
  const file = watchedJob();
  const slow = await submit(origin, {
    ...file,
    name: 'A frame that takes its time',
    settings: {
      ...file.settings,
      frames: '1-2',
      blendfile: file.settings.blendfile.replace('watched.blend', 'slow.blend'),
      render_output_path: file.settings.render_output_path.replace('/watched/', '/slow/'),
    },
  });
  await visit(page, `${origin}/app/jobs/${slow.id}/frames`);
  await tile(1).getByText(/^\d+%$/).waitFor({ timeout: patience });
  assert.equal(await stateOf(1), 'rendering');
  assert.equal(await page.locator('.spinner').count(), 1, 'one frame is being rendered, the other one waits for it');
  await picture(page, artifacts, 'frames-4-progress');
  await page.getByRole('button', { name: 'Table' }).click();
  await page.getByRole('grid', { name: 'Frames' }).getByText(/^\d+%$/).waitFor();
  await visit(page, `${origin}/app/`);
  await page.getByRole('progressbar', { name: 'Progress of A frame that takes its time' }).locator('[data-part=active]').waitFor({ state: 'attached' });
  await until('the job is complete', async () => (await jobStatus(origin, slow.id)) === 'completed', patience);

  // A folder cannot be made where a file is.
  const blocked = await submit(origin, {
    ...file,
    name: 'Frames that cannot be saved',
    settings: { ...file.settings, frames: '1-2', render_output_path: `${file.settings.blendfile}/######` },
  });
  await visit(page, `${origin}/app/jobs/${blocked.id}/frames`);
  await tile(1).getByText(/cannot save: '.*\/000001\.png'/).first().waitFor({ timeout: patience });
  assert.equal(await stateOf(1), 'failed');
  await picture(page, artifacts, 'frames-4-failed');
  await tile(1).click();
  await page.getByRole('dialog').getByText(/cannot save/).first().waitFor();
  await picture(page, artifacts, 'frames-4-failed-viewer');
  await page.keyboard.press('Escape');
  await visit(page, framePage());
});

test('the flip-book plays', async () => {
  await page.getByRole('link', { name: 'Preview', exact: true }).click();
  await page.waitForURL(/\/preview$/);
  const stage = page.locator('canvas[data-frame]');
  await stage.waitFor();
  const frame = async () => Number(await stage.getAttribute('data-frame'));
  const press = async (/** @type {string} */ key, /** @type {number} */ expected) => {
    await page.keyboard.press(key);
    await until(`${key} leads to frame ${expected}`, async () => (await frame()) === expected, 3000);
  };
  await press('Home', 1);
  await press('ArrowRight', 2);
  await press('End', FRAMES);
  await press('ArrowLeft', FRAMES - 1);
  await press('Home', 1);
  const seen = new Set();
  await page.keyboard.press('Space');
  await until('it plays through all frames', async () => (seen.add(await frame()), seen.size >= FRAMES - 1), 20_000);
  await page.keyboard.press('k');
  const stood = await frame();
  await new Promise((done) => setTimeout(done, 400));
  assert.equal(await frame(), stood, 'it stands still');
  const drawn = await stage.evaluate((canvas) => {
    if (!(canvas instanceof HTMLCanvasElement)) return false;
    const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    return pixels.some((value) => value > 0);
  });
  assert.ok(drawn, 'there is a picture');
  await picture(page, artifacts, 'frames-5-preview');

  // From the second frame to the third, and the address says so.
  await press('Home', 1);
  await press('ArrowRight', 2);
  await page.keyboard.press('i');
  await page.waitForURL(/in=2/);
  await press('ArrowRight', 3);
  await page.keyboard.press('o');
  await page.waitForURL(/out=3/);
  const played = new Set();
  await page.keyboard.press('Space');
  await until('it plays from the in point to the out point', async () => played.add(await frame()).size === 2, 5000);
  for (let look = 0; look < 12; look++) played.add(await frame());
  assert.deepEqual([...played].sort(), [2, 3]);
  await page.keyboard.press('k');
  await press('Home', 2);
  await press('End', 3);
  await page.keyboard.press('x');
  await page.waitForURL(/\/preview$/);

  const animation = await page.getByRole('link', { name: 'Animated file' }).getAttribute('href');
  const answer = await fetch(new URL(animation ?? '', origin));
  assert.equal(answer.headers.get('content-type'), 'image/gif');
  assert.equal(Buffer.from(await answer.arrayBuffer()).subarray(0, 6).toString(), 'GIF89a');
});

test('the finished video is played in the place of the pictures', async () => {
  await page.getByRole('button', { name: 'Video' }).click();
  await page.waitForURL(/show=video/);
  const video = page.getByLabel('Preview video');
  await until('the browser can play it', () => video.evaluate((one) => one instanceof HTMLVideoElement && one.readyState >= 2 && one.videoWidth > 0), 15_000);
  await picture(page, artifacts, 'frames-5-video');
  await page.getByRole('button', { name: 'Pictures' }).click();
  await page.locator('canvas[data-frame]').waitFor();
});

test('a video that cannot be played gives way to the pictures, and says so', async () => {
  const known = problems.length;
  await page.route(/\.mp4/, (route) => route.fulfill({ status: 200, contentType: 'video/mp4', body: 'no video at all' }));
  await page.getByRole('button', { name: 'Video' }).click();
  await page.getByRole('alert').getByText('This browser cannot play the video of the job').waitFor();
  await page.locator('canvas[data-frame]').waitFor();
  assert.ok(!page.url().includes('show=video'));
  await page.unroute(/\.mp4/);
  // Whatever was wrong, another try is one click away.
  await page.getByRole('button', { name: 'Video' }).click();
  await page.getByLabel('Preview video').waitFor();
  await page.getByRole('button', { name: 'Pictures' }).click();
  assert.ok(problems.splice(known).every((problem) => /mp4|media|resource/i.test(problem)));
});

test('a frame that the job does not have is said to be none', async () => {
  await visit(page, `${framePage()}/9999`);
  await page.getByRole('alert').getByText('This job has no frame 9999.').waitFor();
  await page.getByRole('button', { name: 'Show all' }).click();
  await page.waitForURL(framePage());
  await page.getByRole('alert').waitFor({ state: 'detached' });
  await tile(1).waitFor();
});

test('the details say in which folder the frames are', async () => {
  await visit(page, `${origin}/app/jobs/${job.id}/details`);
  const { files } = await ask(origin, `/api/v3/jobs/${job.id}/frames/1`);
  const folder = files[0].path.replace(/\/[^/]*$/, '');
  await page.getByRole('region', { name: 'Details' }).getByText(folder, { exact: true }).waitFor();
});

test('a filter is saved under a name, and found again by it', async () => {
  await visit(page, `${origin}/app/jobs?status=completed&sort=name`);
  await page.getByRole('button', { name: 'Saved views of the jobs' }).click();
  await page.getByLabel('Name of this view').fill('Done, by name');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('button', { name: 'Done, by name', exact: true }).waitFor();
  await picture(page, artifacts, 'frames-5-views');
  await visit(page, `${origin}/app/tags`);
  await page.keyboard.press('Control+k');
  await page.keyboard.type('by name');
  await page.getByRole('option', { name: /Done, by name/ }).click();
  await page.waitForURL((url) => url.pathname === '/app/jobs' && url.searchParams.get('status') === 'completed' && url.searchParams.get('sort') === 'name');
  await page.getByRole('button', { name: 'Saved views of the jobs' }).click();
  await page.getByRole('button', { name: 'Forget the view Done, by name' }).click();
  await page.getByText('No view is saved yet.').waitFor();
  await page.keyboard.press('Escape');
  await visit(page, `${origin}/app/jobs/${job.id}/preview`);
});

test('two jobs of a shot are held side by side, and wiped', async () => {
  // The same shot, as far as it matters here: a job that has no pictures yet.
  const later = await submit(origin, { ...watchedJob(), name: 'Frames, take two', metadata: { project: 'e2e', shot: 'sh010' }, initial_status: 'paused' });
  const stage = page.locator('canvas[data-frame]');
  await page.getByLabel('Compare with another job of the shot').selectOption('Frames, take two');
  await page.waitForURL((url) => url.searchParams.get('with') === later.id);
  await page.getByText('Frames, take two: no pictures').waitFor();
  await visit(page, `${origin}/app/jobs/${later.id}/preview?with=${job.id}&as=wipe`);
  await page.getByRole('slider', { name: 'Where one job ends' }).waitFor();
  await until('the other job shows the same frame', async () => {
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    return (await stage.getAttribute('data-other')) === '2' && (await stage.getAttribute('data-frame')) === '2';
  });
  await picture(page, artifacts, 'frames-5-wipe');
});

test('the parts of the job page have addresses', async () => {
  for (const [part, text] of [['Workers', 'Blocked workers'], ['Details', job.id], ['History', 'Submitted']]) {
    await visit(page, `${origin}/app/jobs/${job.id}/${String(part).toLowerCase()}`);
    await page.getByRole('region', { name: part, exact: true }).getByText(text ?? '').first().waitFor();
    await picture(page, artifacts, `frames-6-${String(part).toLowerCase()}`);
  }
});

test('the priority can be changed', async () => {
  await visit(page, `${origin}/app/jobs/${job.id}/details`);
  await page.getByRole('button', { name: 'Change the priority' }).click();
  await page.getByLabel(/^Priority, from/).fill('101');
  await page.getByRole('button', { name: 'Set', exact: true }).click();
  await page.getByText('A whole number from 0 to 100.').waitFor();
  await page.getByLabel(/^Priority, from/).fill('77');
  await page.getByRole('button', { name: 'Set', exact: true }).click();
  await page.getByText('Priority 77').waitFor();
});

test('home shows the last frame, and shots and jobs their pictures', async () => {
  await visit(page, `${origin}/app/`);
  const last = page.locator('figure img').first();
  await until('the last frame is there', () => isLoaded(last));
  await page.getByRole('img', { name: /^Frames: / }).waitFor();
  await page.getByRole('heading', { name: 'Workers' }).waitFor();
  await picture(page, artifacts, 'frames-7-home');
  await page.goto(`${origin}/app/?wall=1`);
  await until('the last frame is there', () => isLoaded(page.locator('figure img').first()));
  assert.equal(await page.getByRole('navigation').count(), 0, 'nothing to press on a wall');
  await picture(page, artifacts, 'frames-8-wall');
  await visit(page, `${origin}/app/shots`);
  await until('the shot has a picture', () => isLoaded(page.getByRole('link', { name: 'Preview of sh010' }).locator('img')));
  await picture(page, artifacts, 'frames-9-shots');
  await visit(page, `${origin}/app/jobs`);
  await until('the job has a picture', () => isLoaded(page.locator(`[role=row][data-id="${job.id}"] img`)));
});

test('all along: no error, nothing refused by the policy, nothing from outside', () => {
  assert.deepEqual(problems, []);
});
