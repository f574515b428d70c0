/**
 * The page tells right from wrong: it compares its first picture with the exported one, reads
 * nothing back after that, never runs two frames at once, and draws the newest camera.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, afterEach, before, describe, it } from "node:test";

import { fromBytes, over, psnr } from "./pictures.mjs";
import {
  atRest,
  backdrop,
  BUNDLE,
  comesToShow,
  drawReference,
  manifest,
  openBrowser,
  openSite,
  poster,
  PREFIX,
  PSNR,
  reference,
  SPLIT_BUNDLE,
  stats,
  visible,
} from "./site.mjs";
import { inWorker, miscolour, tamper, watchWebGpu } from "./tampered.mjs";

/** What a right picture has at least: `RIGHT` in self_check.ts. */
const RIGHT = 40;
/** Least agreement of half precision with torch, in dB. */
const HALF = 40;
const FRAMES = 20;
const QUIET = "ui=off";

let site;
before(async () => (site = await openSite()));
after(() => site.close());
afterEach(() => site.faults.clear());

const { models, references } = manifest();
const viewport = { width: models[0].width + 72, height: models[0].height };

/** Turn the camera a little with a key, and wait for its frame. */
async function turn(page, key) {
  const { frames } = await stats(page);
  await page.keyboard.press(key);
  await page.waitForFunction((frames) => window.pocketfield.stats().frames > frames, frames);
}

/** Turns the camera 20 times quickly; how many frames that took: far fewer. */
async function drawsTheNewest(test, page) {
  const before = (await stats(page)).frames;
  await page.locator("canvas").focus();
  for (let k = 0; k < 20; k++) {
    await page.keyboard.press("ArrowLeft");
    await page.waitForTimeout(20);
  }
  const frames = (await atRest(page)) - before;
  test.diagnostic(`${frames} frames for 20 cameras`);
  assert.ok(frames >= 1 && frames <= 10, `${frames} frames`);
  await page.locator("canvas").blur(); // without its frame
  const shown = await visible(page);
  const newest = await page.evaluate(async () => {
    const { camera, frame } = window.pocketfield;
    const { width, height, rgba } = await frame(camera());
    return { width, height, rgba: Array.from(rgba) };
  });
  const found = psnr(shown, over(fromBytes(newest), await backdrop(page)));
  assert.ok(found >= PSNR, `what was visible: ${found} dB`);
  return frames;
}

describe("the self-check on WebGPU (SwiftShader)", () => {
  let browser;
  before(async () => {
    browser = await openBrowser(site, "software", { viewport, reducedMotion: "reduce" });
    browser.context.setDefaultTimeout(120_000); // a busy machine takes its time
  });
  after(() => browser.close());

  for (const [name, query] of [
    ["a whole graph", ""],
    ["a split form", "&scene=split/"],
  ]) {
    it(`${name} is found right; after that ${FRAMES} frames read nothing back`, async (test) => {
      tamper(site, watchWebGpu);
      const page = await browser.openReady(`?backend=webgpu&${QUIET}${query}`);
      const { check, backend } = await stats(page);
      assert.equal(backend, "webgpu");
      assert.ok(check >= PSNR, `${check} dB`);
      const started = await inWorker(page, () => /** @type {any} */ (self).seen);
      assert.equal(started.readBacks, 1); // the check's own: the counter counts
      await page.locator("canvas").focus();
      for (let k = 0; k < FRAMES; k++) await turn(page, k % 7 === 6 ? "ArrowUp" : "ArrowLeft");
      const seen = await inWorker(page, () => /** @type {any} */ (self).seen);
      const { frames } = await stats(page);
      test.diagnostic(`check ${check.toFixed(1)} dB; ${frames} frames`);
      assert.ok(frames > FRAMES);
      assert.equal(seen.readBacks - started.readBacks, 0);
      await page.close();
    });
  }

  it("no two frames are in flight, and of 20 quick cameras the newest is drawn", async (test) => {
    tamper(site, watchWebGpu);
    const page = await browser.openReady(`?backend=webgpu&${QUIET}`);
    const frames = await drawsTheNewest(test, page);
    const { order, overlaps } = await inWorker(page, () => /** @type {any} */ (self).seen);
    assert.equal(overlaps, 0);
    assert.ok(order.length >= 3 * frames);
    assert.deepEqual(
      order,
      Array(order.length / 3)
        .fill(["present", "wait", "done"])
        .flat(),
    );
    await page.close();
  });

  it("wrong pictures: half precision, single precision, then the processor; each with figures", async () => {
    tamper(site, miscolour);
    const single = models.find(({ precision }) => precision === "fp32");
    // SwiftShader computes no halves, so a second name of the same file plays their part.
    const half = { ...single, precision: "fp16", file: `./${single.file}` };
    const content = JSON.stringify({ ...manifest(), models: [half, single] });
    site.faults.set(`${PREFIX}scene/manifest.json`, (response) => response.end(content));
    const page = await browser.open(`?backend=webgpu&${QUIET}`);
    const message = page.locator('#message[data-kind="note"]');
    const figures = `WebGPU on this device \\(google swiftshader\\).*\\(\\d+\\.\\d dB.*${RIGHT}`;
    for (const next of ["Single precision is tried", "The processor draws instead"]) {
      const note = message.filter({ hasText: next });
      await note.waitFor();
      assert.match(await note.innerText(), new RegExp(figures));
    }
    await page.evaluate(() => window.pocketfield.ready);
    const { backend, check, frames } = await stats(page);
    assert.equal(backend, "wasm");
    assert.equal(frames, 1); // no wrong picture was shown
    assert.ok(check >= PSNR, `${check} dB`);
    const drawn = fromBytes(await drawReference(page, 1));
    assert.ok(psnr(drawn, reference(1)) >= PSNR);
    await page.close();
  });

  it("its picture is never shown where another camera was asked for", async () => {
    tamper(site, watchWebGpu);
    const page = await browser.openReady(`?backend=webgpu&${QUIET}&reference=2`);
    const { order } = await inWorker(page, () => /** @type {any} */ (self).seen);
    assert.deepEqual(order, ["present", "wait", "done"]);
    assert.equal((await stats(page)).frames, 1);
    await comesToShow(page, reference(2), PSNR);
    await page.close();
  });

  it("half precision is not taken without shader-f16, which SwiftShader has not got", async () => {
    const page = await browser.openReady(`?backend=webgpu&${QUIET}`);
    const half = await page.evaluate(async () => {
      const adapter = await navigator.gpu.requestAdapter();
      return adapter.features.has("shader-f16");
    });
    assert.equal(half, false);
    assert.equal(models[0].precision, "fp16"); // and it would be the first choice
    assert.equal((await stats(page)).precision, "fp32");
    assert.ok(!browser.requests.some((url) => url.includes("fp16")));
    await page.close();
  });
});

describe("the self-check on WebAssembly", () => {
  let browser;
  before(async () => (browser = await openBrowser(site, "none", { viewport })));
  after(() => browser.close());

  it("the first picture is right, and is the one that is shown", async () => {
    const page = await browser.openReady(`?${QUIET}`);
    const { check, frames, backend } = await stats(page);
    assert.equal(backend, "wasm");
    assert.ok(check >= PSNR, `${check} dB`);
    assert.equal(frames, 1);
    await comesToShow(page, poster, PSNR);
    await page.close();
  });

  it("a wrong picture: it says so, and draws on", async () => {
    const other = readFileSync(path.join(BUNDLE, references[3].image));
    site.faults.set(`${PREFIX}scene/${manifest().poster}`, (response) => response.end(other));
    const page = await browser.openReady(`?${QUIET}`);
    const note = page.locator('#message[data-kind="note"]');
    assert.match(await note.innerText(), /The processor draws this scene wrongly \(\d+\.\d dB/);
    const { check } = await stats(page);
    assert.ok(check < RIGHT - 5, `${check} dB`); // another camera's picture is far from right
    const drawn = fromBytes(await drawReference(page, 1));
    assert.ok(psnr(drawn, reference(1)) >= PSNR);
    await page.close();
  });

  it("of 20 quick cameras the newest is drawn, though a run takes no messages", async (test) => {
    // Slow enough to fall behind: every frame computes for 300 ms without a break.
    tamper(site, function slow() {
      const { putImageData } = OffscreenCanvasRenderingContext2D.prototype;
      OffscreenCanvasRenderingContext2D.prototype.putImageData = function (...args) {
        for (const began = performance.now(); performance.now() - began < 300;);
        return putImageData.apply(this, args);
      };
    });
    const page = await browser.openReady(`?${QUIET}`);
    await page.emulateMedia({ reducedMotion: "reduce" });
    await drawsTheNewest(test, page);
    await page.close();
  });

  for (const [name, answer] of [
    ["no poster", (response) => response.writeHead(404).end()],
    ["a poster that never comes", (response) => response.writeHead(200).write("")],
    ["a poster that is no picture", (response) => response.end("nothing to see")],
  ]) {
    it(`${name}: no check, and no harm`, async () => {
      site.faults.set(`${PREFIX}scene/${manifest().poster}`, answer);
      const page = await browser.openReady(`?${QUIET}&reference=1`); // the page shows no poster then
      assert.equal((await stats(page)).check, null);
      await comesToShow(page, reference(1), PSNR);
      await page.close();
    });
  }

  for (const [name, query, bundle] of [
    ["a whole graph", "", BUNDLE],
    ["a student with a split form", "&scene=split/", SPLIT_BUNDLE],
  ]) {
    it(`half precision draws what torch computed: ${name}`, async (test) => {
      const page = await browser.openReady(`?precision=fp16&${QUIET}${query}`);
      const { precision, check } = await stats(page);
      assert.equal(precision, "fp16");
      assert.ok(check >= HALF, `${check} dB`);
      let worst = Infinity;
      for (const k of manifest(bundle).references.keys()) {
        const drawn = fromBytes(await drawReference(page, k));
        worst = Math.min(worst, psnr(drawn, reference(k, bundle)));
      }
      test.diagnostic(`canvas against torch, worst camera: ${worst.toFixed(1)} dB`);
      assert.ok(worst >= HALF, `${worst} dB`);
      await page.close();
    });
  }
});
