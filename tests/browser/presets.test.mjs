/** Every kind of student, at its preset's width: on WebGPU without a node on the CPU, and on wasm. */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, it } from "node:test";

import { PRESETS } from "./presets.mjs";
import { drawsReferences, openBrowser, openSite, PRESET_BUNDLES, stats } from "./site.mjs";

const EVERY = 3; // of six reference cameras, one after the other: enough to see a stale frame

let site;
before(async () => (site = await openSite()));
after(() => site.close());

/** Open the page on a preset's bundle and draw; the page's figures. */
async function draws(test, browser, preset, query) {
  const page = await browser.openReady(`?scene=presets/${preset}/&ui=off${query}`);
  const worst = await drawsReferences(page, path.join(PRESET_BUNDLES, preset), EVERY);
  const found = await stats(page);
  await page.close();
  test.diagnostic(`${found.form} on ${found.backend}: worst camera ${worst.toFixed(1)} dB`);
  return found;
}

describe("presets on WebGPU (SwiftShader)", () => {
  let browser;
  before(async () => {
    browser = await openBrowser(site, "software", { reducedMotion: "reduce" });
  });
  after(() => browser.close());

  for (const preset of PRESETS) {
    it(preset, async (test) => {
      browser.log.length = 0;
      const found = await draws(test, browser, preset, "&backend=webgpu&log=verbose");
      assert.equal(found.backend, "webgpu");
      const placed = browser.log.filter((line) => /placed on \[/.test(line));
      assert.ok(placed.length > 0, "ONNX Runtime's log names no placement");
      for (const line of placed)
        assert.match(line, /All nodes placed on \[WebGpuExecutionProvider\]/);
    });
  }
});

describe("presets on WebAssembly", () => {
  let browser;
  before(async () => (browser = await openBrowser(site, "none")));
  after(() => browser.close());

  for (const preset of PRESETS) {
    it(preset, async (test) => {
      const found = await draws(test, browser, preset, "");
      assert.equal(found.backend, "wasm");
    });
  }
});
