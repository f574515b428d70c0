/** The split form draws what the whole graph draws, which is what torch computed. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { runShaders } from "./shaders.mjs";
import { drawsReferences, manifest, openBrowser, openSite, SPLIT_BUNDLE, stats } from "./site.mjs";

const QUERY = "?scene=split/&ui=off";
/** How far a correction may lead, as a fraction of the way through the box: tests/bundles.py. */
const REACH = 0.15;
const { models, references } = manifest(SPLIT_BUNDLE);

let site;
before(async () => (site = await openSite()));
after(() => site.close());

/** Open the page, draw, and close it; what its figures and its log say. */
async function draws(test, browser, query, step = 1) {
  const page = await browser.openReady(QUERY + query);
  const worst = await drawsReferences(page, SPLIT_BUNDLE, step);
  test.diagnostic(`canvas against torch, worst camera: ${worst.toFixed(1)} dB`);
  const found = await stats(page);
  await page.close();
  return found;
}

describe("a student with a split form, on WebGPU (SwiftShader)", () => {
  let browser;
  before(async () => {
    browser = await openBrowser(site, "software", { reducedMotion: "reduce" });
  });
  after(() => browser.close());

  const placements = () => browser.log.filter((line) => /placed on \[/.test(line));
  function allOnTheCard() {
    assert.ok(placements().length > 0, "ONNX Runtime's log names no placement");
    for (const line of placements())
      assert.match(line, /All nodes placed on \[WebGpuExecutionProvider\]/);
  }

  it("is drawn in that form, camera after camera", async (test) => {
    const found = await draws(test, browser, "&backend=webgpu&log=verbose&timings=on");
    assert.equal(found.backend, "webgpu");
    assert.equal(found.form, "split");
    assert.deepEqual(Object.keys(found.stages), ["encode", "network", "shade"]);
    for (const milliseconds of Object.values(found.stages))
      assert.ok(milliseconds > 0 && milliseconds < found.milliseconds, `${milliseconds} ms`);
    allOnTheCard();
  });

  it("fetches no file of the whole graph for it", () => {
    const asked = browser.requests.map((url) => new URL(url).pathname.split("/").pop());
    const { file, split } = models.find(({ precision }) => precision === "fp32");
    assert.ok(!asked.includes(file));
    for (const part of [split.encode.shader, split.network, split.shade.shader, split.tables])
      assert.ok(asked.includes(part.file), part.file);
  });

  it("is drawn as a whole graph where that is asked for", async (test) => {
    const found = await draws(test, browser, "&backend=webgpu&form=graph", 3);
    assert.equal(found.form, "graph");
    assert.equal(found.stages, null); // some of its nodes run on the processor
  });
});

describe("the shaders of a split form", () => {
  const camera = references[1].camera;
  const [half, single] = models;
  // Any numbers will do; these are exact in half precision.
  const ends = Array.from(
    { length: single.split.ends.reduce((a, b) => a * b) },
    (_, i) => ((i * 2654435761) % 257) / 64 - 2,
  );
  let browser;
  let results;
  before(async () => {
    browser = await openBrowser(site, "software");
    const page = await browser.openReady(QUERY); // on WebAssembly: the card is free
    const folder = new URL("split/", page.url()).href;
    results = [];
    for (const model of models) results.push(await runShaders(page, folder, model, camera, ends));
  });
  after(() => browser.close());

  it("write the same numbers in half precision, rounded", () => {
    assert.equal(half.precision, "fp16");
    const [rounded, exact] = results.map(({ encoded }) => encoded);
    assert.ok(exact.filter((x) => Math.abs(x) > 0.01).length > exact.length / 2);
    exact.forEach((x, i) => {
      const step = Math.max(2 ** -11 * Math.abs(x), 2 ** -14);
      assert.ok(Math.abs(rounded[i] - x) <= step, `channel ${i}: ${rounded[i]}, not ${x}`);
    });
  });

  it("draw the same picture from halves", () => {
    const [a, b] = results;
    assert.deepEqual(a.rgba, b.rgba);
    assert.deepEqual(a.depth, b.depth);
    assert.ok(new Set(b.rgba).size > 100, "the picture is empty");
  });

  it("correct the guessed distance along the ray, a little and within the box", () => {
    const { width, height } = single;
    const { depth } = results[1];
    const step = height / single.split.ends[1];
    let [crossed, corrected] = [0, 0];
    for (let y = 0; y < height; y += 5) {
      for (let x = 0; x < width; x += 3) {
        const [near, far] = throughBox(camera, (x + 0.5) / width, (y + 0.5) / height);
        if (far <= near) continue; // a miss has a depth too, but no formula as plain as this one
        crossed++;
        const cell = Math.floor(y / step) * single.split.ends[2] + Math.floor(x / step);
        const logit = ends[cell * single.split.ends[3] + (y % step) * step + (x % step)];
        const found = (depth[y * width + x] - near) / (far - near);
        assert.ok(found > -1e-3 && found < 1 + 1e-3, `(${x}, ${y}): ${found} of the way`);
        const correction = Math.abs(found - 1 / (1 + Math.exp(-logit)));
        assert.ok(correction < REACH + 1e-3, `(${x}, ${y}): ${correction}`);
        if (correction > 1e-3) corrected++;
      }
    }
    assert.ok(crossed > 50, "the camera does not see the box");
    assert.ok(corrected > crossed / 2, "nothing is corrected");
  });
});

/** The box of tests/bundles.py: distances at which the ray through (u, v) enters and leaves it. */
function throughBox({ T_norm_camera: T, intrinsics: [fx, fy, cx, cy] }, u, v) {
  const local = [(u - cx) / fx, -(v - cy) / fy, -1];
  const turned = [0, 4, 8].map((row) => local.reduce((sum, x, k) => sum + T[row + k] * x, 0));
  const length = Math.hypot(...turned);
  const faces = turned.map((x, axis) => {
    const [low, high] = [
      [-1, 0.8],
      [-0.9, 1],
      [-0.5, 0.6],
    ][axis].map((face) => (face - T[4 * axis + 3]) / (x / length));
    return [Math.min(low, high), Math.max(low, high)];
  });
  return [Math.max(...faces.map(([t]) => t)), Math.min(...faces.map(([, t]) => t))];
}

describe("a student with a split form, on WebAssembly", () => {
  let browser;
  before(async () => (browser = await openBrowser(site, "none")));
  after(() => browser.close());

  it("is drawn as a whole graph", async (test) => {
    const { backend, form } = await draws(test, browser, "&form=split");
    assert.equal(backend, "wasm");
    assert.equal(form, "graph");
  });
});
