/** Depth: asked for at a point, and looked at; the same on WebGPU, in both forms, and on wasm. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { over, psnr } from "./pictures.mjs";
import {
  backdrop,
  comesToShow,
  manifest,
  openBrowser,
  openSite,
  PSNR,
  reference,
  SPLIT_BUNDLE,
  visible,
} from "./site.mjs";

const RADIUS = 0.9; // of the ball in tests/bundles.py, round the origin
const K = 1; // the reference camera that all look through
const { models, references } = manifest();
const { width, height } = models[0];
const viewport = { width: width + 72, height };
const POINTS = [0.02, 0.3, 0.45, 0.5, 0.62, 0.98];

let site;
before(async () => (site = await openSite()));
after(() => site.close());

/** Depths at a grid of points of the camera that is shown. */
const probe = (page) =>
  page.evaluate(async (points) => {
    const found = [];
    for (const y of points)
      for (const x of points) found.push(await window.pocketfield.depthAt(x, y));
    return found;
  }, POINTS);

const look = (page, look) => page.evaluate((look) => window.pocketfield.look(look), look);

/** How far from the origin the point lies that (x, y) shows, `depth` away. */
function distance(camera, x, y, depth) {
  const { T_norm_camera: T, intrinsics } = camera;
  const [fx, fy, cx, cy] = intrinsics;
  const [u, v] = [(Math.floor(x * width) + 0.5) / width, (Math.floor(y * height) + 0.5) / height];
  const local = [(u - cx) / fx, -(v - cy) / fy, -1];
  const length = Math.hypot(...local);
  const point = [0, 4, 8].map((row) =>
    local.reduce((sum, value, k) => sum + (T[row + k] * value * depth) / length, T[row + 3]),
  );
  return Math.hypot(...point);
}

/** The picture, its depth and the picture again; the screenshot of the depth. */
async function looksAtDepth(page) {
  const before = await page.evaluate(() => window.pocketfield.stats().frames);
  await look(page, "depth");
  await page.waitForTimeout(300);
  const shown = await visible(page);
  assert.equal(await page.evaluate(() => window.pocketfield.stats().frames), before); // none ran
  const colour = over(reference(K), await backdrop(page));
  assert.ok(psnr(shown, colour) < 25, "depth looks like the picture");
  const [middle, rim] = [brightness(shown, 0.5, 0.5), brightness(shown, 0.5, 0.86)];
  assert.ok(middle > rim + 0.05, `nearer is lighter: ${middle} in the middle, ${rim} at the rim`);
  await look(page, "colour");
  await comesToShow(page, reference(K), PSNR);
  return shown;
}

function brightness({ width, height, rgba }, x, y) {
  const at = 4 * (Math.floor(y * height) * width + Math.floor(x * width));
  return 0.3 * rgba[at] + 0.6 * rgba[at + 1] + 0.1 * rgba[at + 2];
}

describe("depth", () => {
  const found = {};
  const shots = {};
  const splits = {};

  for (const [backend, gpu] of [
    ["webgpu", "software"],
    ["wasm", "none"],
  ]) {
    describe(`on ${backend}`, () => {
      let browser;
      let page;
      before(async () => {
        browser = await openBrowser(site, gpu, { viewport, reducedMotion: "reduce" });
        page = await browser.openReady(`?backend=${backend}&ui=off&reference=${K}`);
      });
      after(() => browser.close());

      it("is where the ball is, and nowhere beside it", async () => {
        found[backend] = await probe(page);
        const { camera } = references[K];
        let hits = 0;
        found[backend].forEach((depth, k) => {
          const [x, y] = [POINTS[k % POINTS.length], POINTS[Math.floor(k / POINTS.length)]];
          if (depth === null) return;
          hits++;
          const from = distance(camera, x, y, depth);
          assert.ok(from > 0.6 * RADIUS && from < 1.02 * RADIUS, `(${x}, ${y}): ${from}`);
        });
        assert.ok(hits >= 16, `${hits} points hit the ball`);
        assert.equal(found[backend][0], null); // the corner
      });

      it("can be looked at, without another run", async () => {
        shots[backend] = await looksAtDepth(page);
      });

      it("of a student with a split form", async () => {
        const other = await browser.openReady(
          `?backend=${backend}&ui=off&scene=split/&reference=${K}`,
        );
        splits[backend] = await probe(other);
        await other.close();
      });
    });
  }

  it("is the same on both", () => {
    assert.ok(psnr(shots.webgpu, shots.wasm) >= 40, `${psnr(shots.webgpu, shots.wasm)} dB`);
    for (const depths of [found, splits]) {
      assert.equal(depths.webgpu.length, POINTS.length ** 2);
      depths.webgpu.forEach((depth, k) => {
        assert.equal(depth === null, depths.wasm[k] === null, `point ${k}`);
        assert.ok(Math.abs((depth ?? 0) - (depths.wasm[k] ?? 0)) < 2e-3, `point ${k}: ${depth}`);
      });
    }
    const seen = splits.wasm.filter((depth) => depth !== null);
    assert.ok(seen.length > 5 && manifest(SPLIT_BUNDLE).models.length > 0);
    assert.ok(new Set(seen).size > 3, "depth is the same everywhere");
  });
});
