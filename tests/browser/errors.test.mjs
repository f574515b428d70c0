/**
 * What can go wrong is said on the page, in words: the thing, what was given, what was expected,
 * what to do.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, afterEach, before, describe, it } from "node:test";

import { BUNDLE, DIST, manifest, openBrowser, openSite, PREFIX, ready, stats } from "./site.mjs";

const model = manifest().models.find(({ precision }) => precision === "fp32");
const MANIFEST = `${PREFIX}scene/manifest.json`;
const MODEL = `${PREFIX}scene/${model.file}`;

let site;
let browser;
before(async () => {
  site = await openSite();
  browser = await openBrowser(site, "none", {
    viewport: { width: 420, height: 300 },
  });
});
after(async () => {
  await browser.close();
  await site.close();
});
afterEach(() => site.faults.clear());

const answer =
  (body, status = 200) =>
  (response) =>
    response.writeHead(status).end(body);
const changed = (changes) => answer(JSON.stringify({ ...manifest(), ...changes }));

/** Open the page; the error that it shows. */
async function errorOf(query = "", script = undefined) {
  const page = await browser.context.newPage();
  if (script !== undefined) await page.addInitScript(script);
  await page.goto(`${site.origin}${PREFIX}${query}`);
  const message = page.locator('#message[data-kind="error"]');
  await message.waitFor();
  assert.ok(await message.isVisible());
  assert.equal(await message.getByRole("alert").getAttribute("aria-live"), "assertive");
  const text = await message.innerText();
  await page.close();
  return text;
}

describe("a model", () => {
  const bytes = readFileSync(path.join(BUNDLE, model.file));

  it("that is cut short", async () => {
    site.faults.set(MODEL, answer(bytes.subarray(0, 1000)));
    assert.match(
      await errorOf(),
      new RegExp(`${model.file}[^]*only 1000 bytes[^]*${model.bytes} bytes`),
    );
  });

  it("that was changed by one bit", async () => {
    const altered = Buffer.from(bytes);
    altered[5000] ^= 1;
    site.faults.set(MODEL, answer(altered));
    assert.match(
      await errorOf(),
      new RegExp(`${model.file}[^]*SHA-256[^]*${model.sha256.slice(0, 12)}`),
    );
  });

  it("that is missing", async () => {
    site.faults.set(MODEL, answer("", 404));
    assert.match(await errorOf(), /HTTP 404[^]*whole folder was copied/);
  });

  it("that is no model", async () => {
    const sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"; // of "x"
    site.faults.set(MODEL, answer("x"));
    site.faults.set(MANIFEST, changed({ models: [{ ...model, bytes: 1, sha256 }] }));
    assert.match(await errorOf(), /starting the model[^]*protobuf parsing failed/);
  });
});

describe("a manifest", () => {
  it("that is missing", async () => {
    site.faults.set(MANIFEST, answer("", 404));
    assert.match(await errorOf(), /manifest\.json[^]*HTTP 404/);
  });

  it("in whose place a host serves a page", async () => {
    site.faults.set(MANIFEST, answer("<!doctype html><title>Home</title>"));
    assert.match(await errorOf(), /manifest\.json[^]*not JSON/);
  });

  it("of an older schema", async () => {
    site.faults.set(MANIFEST, changed({ schema: 0 }));
    assert.match(await errorOf(), /schema 0[^]*schema 3[^]*export the scene again/);
  });

  it("of a newer schema", async () => {
    site.faults.set(MANIFEST, changed({ schema: 99 }));
    assert.match(await errorOf(), /schema 99[^]*schema 3[^]*build the page again/);
  });

  it("that leads to another host", async () => {
    site.faults.set(MANIFEST, changed({ poster: "https://elsewhere.example/p.png" }));
    assert.match(await errorOf(), /elsewhere\.example[^]*own host/);
    const asked = browser.requests.filter((url) => url.includes("elsewhere"));
    assert.deepEqual(asked, []);
  });
});

describe("an address", () => {
  it("with a scene on another host", async () => {
    assert.match(await errorOf("?scene=//elsewhere.example/"), /\?scene=[^]*own host/);
  });

  it("with a backend that does not exist", async () => {
    assert.match(await errorOf("?backend=cuda"), /\?backend=[^]*cuda[^]*webgpu or wasm/);
  });

  it("with a reference that the scene has not got", async () => {
    assert.match(await errorOf("?reference=999"), /\?reference=[^]*999/);
  });
});

describe("the page", () => {
  it("without its runtime beside it", async () => {
    const files = readdirSync(path.join(DIST, "assets"));
    const runtime = files.find((name) => /^ort-wasm-simd-threaded-.*\.wasm\.gz$/.test(name));
    site.faults.set(`${PREFIX}assets/${runtime}`, answer("", 404));
    assert.match(await errorOf("?nocache"), /ONNX Runtime[^]*HTTP 404/);
  });

  it("in a browser without OffscreenCanvas", async () => {
    const text = await errorOf("", "delete HTMLCanvasElement.prototype.transferControlToOffscreen");
    assert.match(text, /OffscreenCanvas[^]*Safari/);
  });

  it("asked for WebGPU where there is none: draws with WebAssembly", async () => {
    const page = await browser.openReady("?backend=webgpu");
    assert.equal((await stats(page)).backend, "wasm");
    await page.close();
  });

  it("says nothing where nothing is wrong", async () => {
    const page = await browser.open();
    await ready(page);
    assert.equal(await page.locator("#message").innerText(), "");
    await page.close();
  });
});
