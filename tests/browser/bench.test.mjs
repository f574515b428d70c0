/** `?bench` measures what it says it measures, and `?fps=` keeps its rate with the smaller picture. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import path from "node:path";

import { psnr } from "./pictures.mjs";
import {
  atRest,
  manifest,
  openBrowser,
  openSite,
  PRESET_BUNDLES,
  PSNR,
  stats,
  visible,
} from "./site.mjs";

const { models, references, name } = manifest();
const single = models.find(({ precision }) => precision === "fp32");

let site;
let browser;
before(async () => {
  site = await openSite();
  browser = await openBrowser(site, "none", { viewport: { width: 700, height: 600 } });
});
after(async () => {
  await browser.close();
  await site.close();
});

describe("?bench", () => {
  let page;
  before(async () => (page = await browser.openReady("?bench")));
  after(() => page.close());

  it("reports times, agreement with torch, and what ran", async () => {
    const report = await page.evaluate(() => window.pocketfield.bench());
    assert.equal(report.scene, name);
    assert.equal(report.backend, "wasm");
    assert.deepEqual([report.width, report.height], [single.width, single.height]);
    assert.equal(report.psnr.length, references.length);
    for (const found of report.psnr) assert.ok(found >= PSNR, `${found} dB`);
    const { run, total, present } = report.milliseconds;
    assert.ok(run.median > 0 && run.median <= total.median, `${run.median} of ${total.median} ms`);
    assert.ok(present.median < total.median && total.median <= total.p95);
    const { frames } = await stats(page);
    assert.ok(frames >= report.frames + references.length, `${frames} drawn`);
    assert.ok(report.fps > 0 && report.fps <= 1100 / total.median, `${report.fps} frames a second`);
  });

  it("shows a table that can be pasted into an issue", async () => {
    const text = await page.locator("#bench pre").innerText();
    assert.match(text, /\| total \| [0-9.]+ \| [0-9.]+ \|/);
    assert.match(text, new RegExp(`worst of ${references.length} cameras`));
    await page.getByRole("button", { name: "Close" }).click();
    await page.locator("#bench").waitFor({ state: "detached" });
  });
});

describe("a camera that moves", () => {
  const scene = "?scene=presets/tiny/&ui=off";
  const bundle = manifest(path.join(PRESET_BUNDLES, "tiny"));
  const whole = bundle.models.find(({ precision }) => precision === "fp32");

  /** Which renditions draw while an arrow key is held. */
  async function renditionsWhileMoving(page) {
    await page.keyboard.down("ArrowRight");
    const seen = new Set();
    const end = Date.now() + 1500;
    while (Date.now() < end) seen.add((await stats(page)).rendition);
    await page.keyboard.up("ArrowRight");
    return seen;
  }

  it("is drawn at half the size where the rate cannot be kept, and sharp again at rest", async () => {
    const page = await browser.openReady(`${scene}&fps=1000`);
    const seen = await renditionsWhileMoving(page);
    assert.ok(seen.has("reduced"), [...seen].join());
    await atRest(page);
    assert.equal((await stats(page)).rendition, "full");
    const sharp = await visible(page);
    await page.evaluate(() => window.pocketfield.frame(window.pocketfield.camera()));
    assert.ok(psnr(sharp, await visible(page)) > 50, "what rests is not the full size");
    await page.close();
  });

  it("stays sharp where the rate is kept", async () => {
    const page = await browser.openReady(`${scene}&fps=1`);
    assert.deepEqual([...(await renditionsWhileMoving(page))], ["full"]);
    await page.close();
  });

  it("is drawn at half the size at rest, too, where the address asks for it", async () => {
    const page = await browser.openReady(`${scene}&size=half`);
    const { width, check } = await stats(page);
    assert.equal(width, whole.width / 2);
    assert.ok(check >= PSNR, `${check} dB against torch's picture of that size`);
    await page.close();
    const refused = await browser.open("?size=half");
    await refused.locator("#error", { hasText: /\?size=[^]*one size/ }).waitFor();
    await refused.close();
  });

  it("the weights of both sizes are fetched once", async () => {
    const asked = (file) => browser.requests.filter((url) => new URL(url).pathname.endsWith(file));
    assert.equal(asked(`presets/tiny/${whole.reduced.file.file}`).length, 1);
    assert.equal(asked(`presets/tiny/${whole.file}`).length, 1); // three pages, and two sizes
  });
});
