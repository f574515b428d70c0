/** Scenes from the visitor's own files: dropped, or chosen. On WebAssembly. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import { enlarged } from "./pictures.mjs";
import { atRest, BUNDLE, camera, comesToShow, manifest, poster, ready, visits } from "./site.mjs";

const { zipSync } = createRequire(new URL("../../web/viewer/package.json", import.meta.url))(
  "fflate",
);
const VIEWPORT = { width: 900, height: 500 };

let browser;
let page;
const options = { viewport: VIEWPORT, acceptDownloads: true };
visits("none", options, async (visit) => void ({ browser } = visit));
afterEach(async () => {
  for (const page of browser.context.pages().slice(1)) await page.close();
});

const openAs = (query) => async () => (page = await browser.openReady(query));
const hidden = (id) => page.locator(id).isHidden();

describe("files of one's own", () => {
  beforeEach(openAs("?scene=split/"));

  const files = () => readdirSync(BUNDLE).filter((name) => path.extname(name) !== "");

  /** Drag real files over the page, and let go. */
  async function drop(...paths) {
    const session = await page.context().newCDPSession(page);
    const data = { items: [], files: paths, dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver"])
      await session.send("Input.dispatchDragEvent", { type, x: 300, y: 200, data });
    await page.locator("#drop", { hasText: "Nothing is sent" }).waitFor();
    await session.send("Input.dispatchDragEvent", { type: "drop", x: 300, y: 200, data });
    assert.equal(await hidden("#drop"), true);
  }

  async function showsBall() {
    await page.locator("#name", { hasText: "ball" }).waitFor();
    await ready(page);
    const box = await page.locator("#picture").boundingBox();
    await comesToShow(page, enlarged(poster, box.width, box.height), 22); // buttons lie on it
    assert.equal(page.workers().length, 1); // the last scene's has ended
  }

  it("may be a folder", async () => {
    await drop(BUNDLE);
    await showsBall();
    await page.keyboard.press("ArrowRight");
    await atRest(page);
    const start = manifest().start.T_norm_camera;
    assert.notDeepEqual((await camera(page)).T_norm_camera, start);
  });

  it("may be a .zip, whose reader is only fetched then", async () => {
    const asked = () => browser.requests.filter((url) => /assets\/browser-/.test(url)).length;
    const before = asked();
    const content = Object.fromEntries(
      files().map((name) => [`my ball/${name}`, readFileSync(path.join(BUNDLE, name))]),
    );
    const [chooser] = await Promise.all([
      page.waitForEvent("filechooser"),
      page.evaluate(() => document.getElementById("open-files").click()),
    ]);
    assert.equal(asked(), before);
    const buffer = Buffer.from(zipSync(content, { level: 0 }));
    await chooser.setFiles([{ name: "ball.zip", mimeType: "application/zip", buffer }]);
    await showsBall();
    assert.equal(asked(), before + 1);
    await page.locator("#share").click();
    await page.locator("#share-local:visible", { hasText: "no link" }).waitFor();
  });

  it("without a manifest are refused, and what is shown stays", async () => {
    await drop(path.join(BUNDLE, manifest().poster));
    await page.locator("#error", { hasText: /poster\.png, and no manifest\.json/ }).waitFor();
    await page.getByRole("button", { name: "Close" }).click();
    await page.keyboard.press("ArrowRight");
    await atRest(page);
    assert.match(await page.locator("#name").innerText(), /waves/);
  });

  it("without the model are refused by its name", async () => {
    const [model] = manifest().models;
    await drop(
      ...files()
        .filter((n) => n !== model.file)
        .map((n) => path.join(BUNDLE, n)),
    );
    await page.locator("#error", { hasText: `without ${model.file}` }).waitFor();
  });
});
