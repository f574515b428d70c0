/** Graphics and memory fail while the page runs: it goes on with something that works, or explains. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";

import { fromBytes, psnr } from "./pictures.mjs";
import {
  drawReference,
  manifest,
  openBrowser,
  openSite,
  PREFIX,
  PSNR,
  reference,
  SPLIT_BUNDLE,
  stats,
} from "./site.mjs";
import { failAfter, noCardMemory, noMemory, tamper } from "./tampered.mjs";

const whole = manifest();
const single = whole.models.find(({ precision }) => precision === "fp32");
/** A model of the same scene with fewer pixels: here another bundle's, which takes the same input. */
const small = manifest(SPLIT_BUNDLE).models.find(({ precision }) => precision === "fp32");
const smaller = {
  ...small,
  file: `../split/${small.file}`,
  split: null,
  sampled: null,
  reduced: null,
};

/** Milliseconds: software graphics on a busy machine take their time to start. */
const PATIENCE = 120_000;

let site;
before(async () => (site = await openSite()));
after(() => site.close());
afterEach(() => site.faults.clear());

/** The scene has these models. */
function offer(...models) {
  site.faults.set(`${PREFIX}scene/manifest.json`, (response) =>
    response.end(JSON.stringify({ ...whole, models })),
  );
}

/** The page says so in a note. */
const says = (page, note) =>
  page.locator('#message[data-kind="note"]', { hasText: note }).waitFor();

/** What the page draws from now on is right. */
async function goesOn(page, expected) {
  await page.evaluate(() => window.pocketfield.ready);
  const drawn = fromBytes(await drawReference(page, 2));
  const { backend, width, frames } = await stats(page);
  assert.equal(backend, expected.backend);
  assert.equal(width, expected.width);
  assert.ok(frames > 0);
  if (width === single.width) assert.ok(psnr(drawn, reference(2)) >= PSNR);
}

describe("on WebGPU (SwiftShader)", () => {
  let browser;
  before(async () => {
    browser = await openBrowser(site, "software", { reducedMotion: "reduce" });
    browser.context.setDefaultTimeout(PATIENCE);
  });
  after(() => browser.close());

  const open = () => browser.open("?backend=webgpu&ui=off");
  const draw = (page) =>
    page.evaluate(() => void window.pocketfield.frame(window.pocketfield.camera()).catch(() => {}));
  const { width } = single;

  it("a validation error while drawing: once more in a new worker, then the processor", async () => {
    tamper(site, failAfter, "GPUValidationError", 1); // in every worker, at its second frame
    const page = await open();
    await page.waitForFunction(() => window.pocketfield?.stats().frames === 1);
    await draw(page);
    await says(page, "has started again");
    await page.waitForFunction(() => window.pocketfield.stats().frames === 2);
    await draw(page);
    await says(page, "the processor draws instead");
    await goesOn(page, { backend: "wasm", width });
    await page.close();
  });

  it("out of memory while drawing: a smaller model of the scene", async () => {
    tamper(site, failAfter, "GPUOutOfMemoryError", 1);
    offer(single, smaller);
    const page = await open();
    await page.waitForFunction(() => window.pocketfield?.stats().frames === 1);
    site.faults.delete([...site.faults.keys()].find((path) => path.includes("worker")));
    await draw(page);
    await says(page, "a smaller one is drawn");
    await goesOn(page, { backend: "webgpu", width: smaller.width });
    await page.close();
  });

  it("out of memory at the start, and no smaller model: the processor", async () => {
    tamper(site, noCardMemory);
    offer(single);
    const page = await open();
    await says(page, "graphics card has too little memory");
    await goesOn(page, { backend: "wasm", width });
    await page.close();
  });

  it("the graphics process ends while nobody moves: drawing starts again by itself", async () => {
    const page = await open();
    await page.waitForFunction(() => window.pocketfield?.stats().frames === 1);
    const session = await browser.context.browser().newBrowserCDPSession();
    await session.send("Browser.crashGpuProcess").catch(() => {}); // nobody is left to answer
    await says(page, "has started again");
    await page.waitForFunction(() => window.pocketfield.stats().frames === 2); // unasked
    await goesOn(page, { backend: "webgpu", width });
    await page.close();
  });
});

describe("on WebAssembly", () => {
  let browser;
  before(async () => (browser = await openBrowser(site, "none")));
  after(() => browser.close());

  it("out of memory: explained, after a smaller model was tried", async () => {
    tamper(site, noMemory);
    offer(single, smaller);
    const page = await browser.open("?ui=off");
    const message = page.locator('#message[data-kind="error"]');
    await message.waitFor();
    assert.match(await message.innerText(), /not enough memory[^]*close other tabs/);
    const tried = browser.requests.map((url) => new URL(url).pathname);
    assert.ok(tried.some((path) => path.endsWith(`split/${small.file}`)));
    await page.close();
  });
});
