/** What is on the screen is what torch computed: on WebGPU and on WebAssembly. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { fromBytes, psnr } from "./pictures.mjs";
import {
  backdrop,
  comesToShow,
  drag,
  drawReference,
  drawsReferences,
  manifest,
  openBrowser,
  openSite,
  PSNR,
  reference,
  stats,
  visible,
} from "./site.mjs";

const { models, references } = manifest();
const { width, height } = models[0];
/**
 * Room on both sides: the picture is letterboxed, and one pixel of it is one pixel of the screen.
 */
const VIEWPORT = { width: width + 72, height };

let site;
before(async () => (site = await openSite()));
after(() => site.close());

/** Every reference camera is drawn as torch draws it. */
async function drawsAllReferences(test, page) {
  const worst = await drawsReferences(page);
  test.diagnostic(
    `canvas against torch, worst of ${references.length} cameras: ${worst.toFixed(1)} dB`,
  );
}

/** The visible picture is the `k`-th reference on the page's background. */
const showsReference = (page, k) => comesToShow(page, reference(k), PSNR);

describe("WebGPU (SwiftShader)", () => {
  let browser;
  let page;
  before(async () => {
    // Without the camera's smoothing: a frame takes seconds here.
    browser = await openBrowser(site, "software", { viewport: VIEWPORT, reducedMotion: "reduce" });
    page = await browser.openReady("?backend=webgpu&reference=1&ui=off&log=verbose");
  });
  after(() => browser.close());

  it("draws its first frame there, and shows the camera that the address asks for", async () => {
    const { backend, precision, frames } = await stats(page);
    assert.equal(backend, "webgpu");
    assert.equal(precision, "fp32"); // SwiftShader has no shader-f16
    assert.equal(frames, 1);
    await showsReference(page, 1);
  });

  it("runs every node of the graph there", () => {
    const placed = browser.log.filter((line) => /placed on \[/.test(line));
    assert.ok(placed.length > 0, "ONNX Runtime's log names no placement");
    for (const line of placed)
      assert.match(line, /All nodes placed on \[WebGpuExecutionProvider\]/);
  });

  it("draws what torch computed, camera after camera", async (test) => {
    await drawsAllReferences(test, page);
    await showsReference(page, references.length - 1); // what was drawn last is what is visible
  });

  it("follows the mouse", async () => {
    const before = await visible(page);
    const frames = (await stats(page)).frames;
    await drag(page, -40, 10);
    await page.waitForFunction((frames) => window.pocketfield.stats().frames > frames, frames);
    assert.ok(psnr(before, await visible(page)) < 30);
  });

  /** End the graphics process, as a driver's crash does; draw on, and see that all is well. */
  async function survivesLostDevice(note, backend) {
    const session = await browser.context.browser()?.newBrowserCDPSession();
    assert.ok(session, "no connection to the browser itself");
    await session.send("Browser.crashGpuProcess").catch(() => {}); // nobody is left to answer
    await page.locator('#message[data-kind="note"]', { hasText: note }).waitFor();
    const drawn = fromBytes(await drawReference(page, 2));
    assert.ok(psnr(drawn, reference(2)) >= PSNR);
    assert.equal((await stats(page)).backend, backend);
    await page.locator('#message[data-kind="none"]').waitFor({ state: "attached" });
    await showsReference(page, 2);
  }

  it("starts again in a new worker when the device is lost", () =>
    survivesLostDevice("started again", "webgpu"));

  it("goes on with WebAssembly when it is lost once more", () =>
    survivesLostDevice("the processor draws instead", "wasm"));

  it("asks nobody but its own host", () => onlyOwnHost(browser.requests));
});

describe("WebAssembly (no graphics card, no flags)", () => {
  let browser;
  before(async () => (browser = await openBrowser(site, "none", { viewport: VIEWPORT })));
  after(() => browser.close());

  it("is chosen by itself, draws what torch computed, and shows it", async (test) => {
    const page = await browser.openReady("?ui=off");
    assert.equal((await stats(page)).backend, "wasm");
    await drawsAllReferences(test, page);
    await showsReference(page, references.length - 1);
    await page.close();
  });

  it("shows the picture on a dark page too", async () => {
    const page = await browser.openReady("?ui=off&reference=3");
    await page.emulateMedia({ colorScheme: "dark" });
    const [r, g, b] = await backdrop(page);
    assert.ok(r + g + b < 100, "the background is not dark");
    await showsReference(page, 3);
    await page.close();
  });

  it("asks nobody but its own host", () => onlyOwnHost(browser.requests));
});

function onlyOwnHost(requests) {
  for (const part of [".wasm", ".onnx", "manifest.json", "worker"]) {
    const seen = requests.some((url) => new URL(url).pathname.includes(part));
    assert.ok(seen, `the test does not see requests for ${part}`);
  }
  const elsewhere = requests.filter((url) => !url.startsWith(`${site.origin}/somewhere/deep/`));
  assert.deepEqual(
    elsewhere.filter((url) => !url.startsWith("data:")),
    [],
  );
}
