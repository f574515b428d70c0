/**
 * What all browser tests share: the built page and a small bundle, served under a path prefix, and
 * pages that watch every request.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, afterEach, before } from "node:test";
import { fileURLToPath } from "node:url";

import { launch } from "./browser.mjs";
import { fromBytes, over, psnr, readPng } from "./pictures.mjs";
import { serve } from "./server.mjs";

/** The built page. */
export const DIST = fileURLToPath(new URL("../../web/viewer/dist", import.meta.url));

/** The folder of the test's bundle, written by `python tests/bundles.py` (see run.mjs). */
export const BUNDLE = process.env.POCKETFIELD_BUNDLE ?? "";
/** A bundle whose student has a split form. */
export const SPLIT_BUNDLE = process.env.POCKETFIELD_SPLIT_BUNDLE ?? "";
/** A folder with a bundle for each of presets.mjs. */
export const PRESET_BUNDLES = process.env.POCKETFIELD_PRESETS ?? "";
export const PREFIX = "/somewhere/deep/";

for (const file of [path.join(DIST, "index.html"), path.join(BUNDLE, "manifest.json")]) {
  if (existsSync(file)) continue;
  throw new Error(
    `${file} is missing: npm run build in web/viewer, then node tests/browser/run.mjs`,
  );
}

/** Least agreement of a canvas with torch, in dB; 8-bit rounding alone gives about 59. */
export const PSNR = 45;

/** Start the server. */
export async function openSite() {
  return serve([
    [`${PREFIX}scene/`, BUNDLE],
    [`${PREFIX}split/`, SPLIT_BUNDLE],
    [`${PREFIX}presets/`, PRESET_BUNDLES],
    [PREFIX, DIST],
  ]);
}

/** A bundle's manifest. */
export const manifest = (bundle = BUNDLE) =>
  JSON.parse(readFileSync(path.join(bundle, "manifest.json"), "utf8"));

/** The picture of the start camera. */
export const poster = readPng(path.join(BUNDLE, manifest().poster));

/** The picture that torch computed for the k-th reference camera. */
export const reference = (k, bundle = BUNDLE) =>
  readPng(path.join(bundle, manifest(bundle).references[k].image));

/**
 * A browser (see browser.mjs) whose pages all come from `site`.
 *
 * `requests` collects every address that was asked for, by pages and their workers; `log` every
 * console line.
 */
export async function openBrowser(site, gpu, options = {}) {
  const { context, close } = await launch(gpu, {
    colorScheme: "light",
    serviceWorkers: "block", // else it answers where a test lets the host answer something else
    ...options,
  });
  const [requests, log] = [[], []];
  context.on("request", (request) => requests.push(request.url()));
  context.on("console", (message) => log.push(message.text()));
  const open = async (query = "") => {
    const page = await context.newPage();
    await page.goto(addressOf(site, query));
    return page;
  };
  /** A page that has drawn its first frame. */
  const openReady = async (query = "") => {
    const page = await open(query);
    await ready(page);
    return page;
  };
  return { context, close, requests, log, open, openReady };
}

/** The page's address. The camera does not go round by itself, unless `query` says something of that. */
export function addressOf(site, query = "") {
  const address = new URL(`${site.origin}${PREFIX}${query}`);
  if (!address.searchParams.has("rotate")) address.searchParams.set("rotate", "off");
  return address.href;
}

/**
 * A host, and a browser that has never been there (see `openBrowser`), for the tests of a file or a suite; `opened`
 * hears of them before the first test. (One hook does it all: a file's own hooks may begin before an earlier one ends.)
 */
export function visits(gpu, options = {}, opened = async (_visit) => {}) {
  const visit = { site: undefined, browser: undefined, page: undefined };
  before(async () => {
    visit.site = await openSite();
    visit.browser = await openBrowser(visit.site, gpu, options);
    await opened(visit);
  });
  after(async () => {
    await visit.browser.close();
    await visit.site.close().catch(() => {}); // a test may have done so
  });
  afterEach(() => visit.site.faults.clear());
  return visit;
}

/** Wait for the first frame; fails with the page's own message where there is none. */
export async function ready(page) {
  await page.waitForFunction(() => window.pocketfield || document.querySelector("#message h2"));
  const failed = await page.evaluate(
    () => document.querySelector("#message h2")?.parentElement.innerText,
  );
  assert.equal(failed, undefined);
  await page.evaluate(() => window.pocketfield.ready);
  await settled(page);
}

/** Two animation frames, and the poster's cross-fade over: what was drawn is on the screen. */
export async function settled(page) {
  await page.evaluate(async () => {
    for (let k = 0; k < 2; k++) await new Promise(requestAnimationFrame);
    await Promise.all(document.getAnimations().map((animation) => animation.finished));
  });
}

/** Draw the k-th reference camera; the pixels that were drawn. */
export function drawReference(page, k) {
  return page.evaluate(async (k) => {
    const { references } = window.pocketfield.manifest;
    const { width, height, rgba } = await window.pocketfield.frame(references[k].camera);
    return { width, height, rgba: Array.from(rgba) };
  }, k);
}

/**
 * Draw reference cameras of `bundle` (all of them, or every `step`-th), one after the other, and
 * hold each to torch's picture: a frame that shows an earlier camera fails. The worst PSNR.
 */
export async function drawsReferences(page, bundle = BUNDLE, step = 1) {
  const { references } = manifest(bundle);
  let worst = Infinity;
  for (let k = 0; k < references.length; k += step) {
    const drawn = fromBytes(await drawReference(page, k));
    const found = psnr(drawn, reference(k, bundle));
    worst = Math.min(worst, found);
    assert.ok(found >= PSNR, `reference ${k}: ${found.toFixed(1)} dB`);
    const other = psnr(drawn, reference((k + 1) % references.length, bundle));
    assert.ok(
      other < PSNR - 15,
      `reference ${k} cannot be told from the next one: ${other.toFixed(1)} dB`,
    );
  }
  return worst;
}

export const stats = (page) => page.evaluate(() => window.pocketfield.stats());
export const camera = (page) => page.evaluate(() => window.pocketfield.camera());

/**
 * What is visible inside the picture's box: not what a tensor or a canvas holds, but what is on the
 * screen.
 */
export async function visible(page) {
  await settled(page);
  return readPng(await page.locator("#picture").screenshot());
}

/** The page's background, as bytes. */
export async function backdrop(page) {
  const colour = await page.evaluate(
    () => getComputedStyle(document.documentElement).backgroundColor,
  );
  return colour.match(/\d+/g).map(Number);
}

/** Wait until frames stop coming, also where one takes long; the number of frames drawn so far. */
export function atRest(page) {
  return page.evaluate(async () => {
    const { stats } = window.pocketfield;
    let [frames, since] = [-1, performance.now()];
    while (performance.now() - since < Math.max(400, 4 * stats().milliseconds)) {
      await new Promise((resolve) => setTimeout(resolve, 25));
      if (stats().frames !== frames) [frames, since] = [stats().frames, performance.now()];
    }
    return frames;
  });
}

/**
 * The visible picture comes within `least` dB of `expected`, which is on the page's background.
 *
 * A worker's canvas reaches the screen a little later than the worker's message, so this looks more
 * than once.
 */
export async function comesToShow(page, expected, least) {
  const [wanted, until] = [over(expected, await backdrop(page)), Date.now() + 5000];
  let found = psnrOrNone(await visible(page), wanted);
  while (!(found >= least) && Date.now() < until) {
    await page.waitForTimeout(100);
    found = psnrOrNone(await visible(page), wanted);
  }
  assert.ok(found >= least, `on the screen: ${found.toFixed(1)} dB`);
}

const psnrOrNone = (a, b) =>
  a.width === b.width && a.height === b.height ? psnr(a, b) : -Infinity;

/** Drag from the middle of the picture, in pixels; the hand rests before it lets go: no fling. */
export async function drag(page, dx, dy) {
  const box = await page.locator("#picture").boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + dx, y + dy, { steps: 4 });
  await page.waitForTimeout(150);
  await page.mouse.up();
}
