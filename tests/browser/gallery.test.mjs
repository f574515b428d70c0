/** Several scenes on one host: the gallery, its scenes, and the way back. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, afterEach, before, describe, it } from "node:test";

import { serve } from "./server.mjs";
import {
  BUNDLE,
  DIST,
  manifest,
  openBrowser,
  poster,
  PREFIX,
  ready,
  settled,
  SPLIT_BUNDLE,
} from "./site.mjs";

const entry = (name, bundle, psnr) => ({
  name,
  path: `scenes/${name}/`,
  poster: `scenes/${name}/${manifest(bundle).poster}`,
  megabytes: 1.25,
  psnr,
});
const INDEX = {
  schema: 1,
  scenes: [entry("ball", BUNDLE, 31.25), entry("waves", SPLIT_BUNDLE, null)],
};

let folder;
let site;
let browser;
before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "pocketfield-gallery-"));
  writeFileSync(path.join(folder, "index.json"), JSON.stringify(INDEX));
  site = await serve([
    [`${PREFIX}scenes/ball/`, BUNDLE],
    [`${PREFIX}scenes/waves/`, SPLIT_BUNDLE],
    [`${PREFIX}scenes/`, folder],
    [PREFIX, DIST],
  ]);
  browser = await openBrowser(site, "none", { viewport: { width: 700, height: 420 } });
});
after(async () => {
  await browser.close();
  await site.close();
  rmSync(folder, { recursive: true });
});
afterEach(() => site.faults.clear());

const cards = (page) => page.locator("#gallery a");

describe("a page with several scenes", () => {
  it("shows them, with what is known of each", async () => {
    const page = await browser.open();
    await cards(page).first().waitFor();
    assert.deepEqual(await cards(page).allInnerTexts(), [
      "ball\n1.3 MB · 31.3 dB",
      "waves\n1.3 MB",
    ]);
    const size = await cards(page)
      .locator("img")
      .first()
      .evaluate(async (image) => {
        const { decode, naturalWidth } = /** @type {HTMLImageElement} */ (image);
        await decode.call(image);
        return naturalWidth || /** @type {HTMLImageElement} */ (image).naturalWidth;
      });
    assert.equal(size, poster.width);
    assert.equal(await page.locator("#tools").isVisible(), false);
    await page.close();
  });

  it("opens one by the keyboard, and has a way back", async () => {
    const page = await browser.open("?backend=wasm");
    await cards(page).first().waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForURL(/scene=scenes\/ball\/$/);
    await ready(page);
    assert.match(page.url(), /backend=wasm/);
    await page.getByRole("link", { name: "All scenes" }).click();
    await cards(page).first().waitFor();
    assert.equal(new URL(page.url()).search, "?backend=wasm&rotate=off");
    await page.close();
  });

  it("offers its other scenes to compare with", async () => {
    const page = await browser.openReady("?scene=scenes/ball/");
    await page.locator("#back:visible").waitFor();
    await page.locator("#compare").click();
    await page.getByRole("button", { name: "waves" }).click();
    await page.locator(".side.second", { hasText: /waves[^]*MB/ }).waitFor();
    await settled(page);
    await page.close();
  });
});

describe("a gallery that cannot be shown", () => {
  const errorOf = async () => {
    const page = await browser.open();
    await page.locator('#message[data-kind="error"]').waitFor();
    const text = await page.locator("#message").innerText();
    await page.close();
    return text;
  };

  it("says that there is no scene, and offers to open one of one's own", async () => {
    site.faults.set(`${PREFIX}scenes/index.json`, (response) => response.writeHead(404).end());
    assert.match(await errorOf(), /scene\/manifest\.json[^]*404[^]*Open a scene of your own/);
  });

  it("because it is of another schema, says so", async () => {
    site.faults.set(`${PREFIX}scenes/index.json`, (response) => response.end('{"schema": 9}'));
    assert.match(await errorOf(), /scenes\/index\.json[^]*schema 9[^]*schema 1/);
  });
});
