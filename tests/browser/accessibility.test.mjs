/**
 * axe-core finds nothing to object to, in any state of the page, light and dark.
 *
 * Every rule is on, best practices too.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";

import { serve } from "./server.mjs";
import { BUNDLE, DIST, manifest, openBrowser, PREFIX, ready } from "./site.mjs";

const require = createRequire(new URL("../../web/viewer/package.json", import.meta.url));
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const entry = (name) => ({
  name,
  path: `scenes/${name}/`,
  poster: `scenes/ball/${manifest().poster}`,
  megabytes: 1.2,
  psnr: 30,
});

let folder;
let site;
before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "pocketfield-gallery-"));
  const index = { schema: 1, scenes: [entry("ball"), entry("other")] };
  writeFileSync(path.join(folder, "index.json"), JSON.stringify(index));
  writeFileSync(path.join(folder, "path.json"), JSON.stringify(film()));
  site = await serve([
    [`${PREFIX}scenes/ball/`, BUNDLE],
    [`${PREFIX}scenes/`, folder],
    [PREFIX, DIST],
  ]);
});
after(async () => {
  await site.close();
  rmSync(folder, { recursive: true });
});

const SCENE = "?scene=scenes/ball/";
const click = (id) => (page) => page.locator(id).click();

/** Two cameras, the second one outside the views that were trained. */
function film() {
  const { references } = manifest();
  const frames = [references[0].camera, references[1].camera];
  const far = (value, k) => (k % 4 === 3 && k < 12 ? 3 * value : value);
  const away = { ...frames[1], T_norm_camera: frames[1].T_norm_camera.map(far) };
  return { fps: 1, width: 1, height: 1, frames: [frames[0], away], closed: true };
}

/**
 * Each state: the page's address, and what leads from there to it.
 *
 * @type {Record<string, [string, ...((page) => Promise<void>)[]]>}
 */
const STATES = {
  "the gallery": ["", (page) => page.locator("#gallery a").first().waitFor()],
  ready: [SCENE, ready],
  depth: [`${SCENE}#look=depth`, ready],
  "a middling background": [`${SCENE}#bg=808080`, ready],
  "a dark background": [`${SCENE}#bg=black`, ready],
  chequers: [`${SCENE}#bg=transparent`, ready],
  "the background's menu": [SCENE, ready, click("#backdrop")],
  "the menu of comparisons": [SCENE, ready, click("#compare")],
  "the panel about the scene": [SCENE, ready, click("#about-button")],
  sharing: [SCENE, ready, click("#share")],
  help: [SCENE, ready, click("#help-button")],
  "a comparison": [
    `${SCENE}&compare=fp16`,
    ready,
    (page) => page.locator(".side.second", { hasText: "MB" }).waitFor(),
  ],
  "a note": [SCENE, ready, click("#screenshot")],
  "a camera path": [
    `${SCENE}&path=scenes/path.json`,
    ready,
    (page) => page.getByRole("button", { name: "Pause" }).click(),
  ],
  "a camera path on a middling background": [`${SCENE}&path=scenes/path.json#bg=808080&t=1`, ready],
  "a page in a page": [`${SCENE}&embed`, ready],
  "an error": ["?scene=nowhere/", (page) => page.locator("#message h2").waitFor()],
};

async function violations(page) {
  await page.waitForTimeout(350); // the page's own transitions are over
  // By the debugger, which a Content-Security-Policy does not stop.
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window["axe"].run());
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(" | ")}`);
}

for (const colorScheme of ["light", "dark"]) {
  describe(`in ${colorScheme}`, () => {
    let browser;
    before(async () => {
      browser = await openBrowser(site, "none", {
        viewport: { width: 900, height: 600 },
        colorScheme,
      });
    });
    after(() => browser.close());

    for (const [name, [query, ...steps]] of Object.entries(STATES)) {
      it(name, async () => {
        const page = await browser.open(query);
        for (const step of steps) await step(page);
        assert.deepEqual(await violations(page), []);
        await page.close();
      });
    }

    it("loading", async () => {
      const { file } = manifest().models.find(({ precision }) => precision === "fp32");
      site.faults.set(`${PREFIX}scenes/ball/${file}`, () => {}); // never answers
      try {
        const page = await browser.open(`${SCENE}&nocache`);
        await page.locator("#progress-text", { hasText: "MB" }).waitFor();
        assert.deepEqual(await violations(page), []);
        await page.close();
      } finally {
        site.faults.clear();
      }
    });
  });
}

describe("on a phone", () => {
  let browser;
  before(async () => {
    const viewport = { width: 390, height: 844 };
    browser = await openBrowser(site, "none", { viewport, hasTouch: true, isMobile: true });
  });
  after(() => browser.close());

  for (const id of ["#more", "#help-button"]) {
    it(`${id} open`, async () => {
      const page = await browser.openReady(SCENE);
      await page.locator(id).tap();
      assert.deepEqual(await violations(page), []);
      await page.close();
    });
  }
});
