/** The panel in a real browser: one visitor's way through it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";

import { openPanel, PATIENCE, row, RUN } from "./panel.mjs";

const MODELS = ["truth", "teacher", "student", "onnx fp16"];

let panel;
let page;
before(async () => {
  panel = await openPanel();
  page = panel.page;
});
after(() => panel?.close());

/** Wait until `text()` differs from `before`. */
async function changes(text, before) {
  const until = Date.now() + PATIENCE;
  while ((await text()) === before) {
    assert.ok(Date.now() < until, `still ${before}`);
    await page.waitForTimeout(50);
  }
}

describe("comparing", () => {
  let panes;
  let first;
  it("fills every pane", async () => {
    panes = await row(page);
    first = await panes.filled(4);
    assert.deepEqual(await panes.titles(), MODELS);
    assert.equal(new Set(first.map(({ hash }) => hash)).size, 4, "four different pictures");
  });

  it("zooms all panes together, where the pointer is, and back", async () => {
    const { x, y, width, height } = await panes.frames.nth(1).boundingBox();
    await page.mouse.move(x + 0.7 * width, y + 0.3 * height);
    const reading = () => panes.root.locator(".reading").first().innerText();
    await changes(reading, "");
    const [before, place] = [await panes.pictures(), (await reading()).match(/x \d+ y \d+/)[0]];
    await page.mouse.wheel(0, -500);
    const zoomed = await panes.until(
      (now) => now.every(({ hash }, k) => hash !== before[k].hash),
      "not all panes are zoomed",
    );
    assert.equal(zoomed.length, 4);
    assert.equal((await reading()).match(/x \d+ y \d+/)[0], place, "what was under the pointer");
    await page.mouse.dblclick(x + 0.7 * width, y + 0.3 * height);
    await page.mouse.move(0, 0);
    await panes.until(
      (now) => now.every(({ hash }, k) => hash === first[k].hash),
      "not whole again",
    );
  });

  it("has a divider for the mouse and for keys, and two pictures of choice", async () => {
    await panes.button("Slider").click();
    const { divider } = panes;
    const now = () => divider.getAttribute("aria-valuenow");
    const one = await panes.until((pictures) => pictures.length === 1, "not one frame");
    const { x, y, width, height } = await divider.boundingBox();
    await page.mouse.move(x + width / 2, y + height / 3);
    await page.mouse.down();
    await page.mouse.move(x + width / 2 - 80, y + height / 3, { steps: 4 });
    await page.mouse.up();
    await panes.until(([{ hash }]) => hash !== one[0].hash, "the divider changed nothing");
    const moved = Number(await now());
    assert.ok(moved > 0 && moved < 50, `at ${moved} %`);
    await divider.press("ArrowRight");
    await changes(now, String(moved));
    assert.equal(Number(await now()), moved + 2);
    await divider.press("End");
    await changes(now, String(moved + 2));
    const truth = (await panes.pictures())[0].hash;
    await panes.root.getByLabel("First picture").selectOption("student");
    await panes.until(([{ hash }]) => hash !== truth, "another picture changed nothing");
    assert.equal(
      await divider.getAttribute("aria-label"),
      "Divider: student to the left, teacher to the right",
    );
  });

  it("keeps the divider and its pictures while the page runs again", async () => {
    const before = (await panes.pictures())[0].hash;
    await page.getByRole("button", { name: /^Next/ }).click();
    await panes.until(
      ([{ hash }, ...more]) => more.length === 0 && hash !== before,
      "no other view",
    );
    assert.equal(await panes.divider.getAttribute("aria-valuenow"), "100");
    assert.deepEqual(await panes.titles(), ["student", "teacher"]);
    await panes.button("Side by side").click();
    await panes.filled(4);
  });
});

describe("the free camera", () => {
  let panes;
  it("is turned by a drag, and the sliders follow", async () => {
    await page.getByRole("tab", { name: "Free camera" }).click();
    panes = await row(page);
    const before = await panes.filled(4);
    const azimuth = () => page.getByRole("slider", { name: "Azimuth" }).inputValue();
    const angle = await azimuth();
    await panes.drag(0, 0.25, 0);
    await panes.until((now) => now.every(({ hash }, k) => hash !== before[k].hash), "not turned");
    await changes(azimuth, angle);
  });

  it("goes along a path, as a film in all panes", async () => {
    await page.getByLabel("Frames", { exact: true }).fill("6");
    await page.getByRole("button", { name: "Render" }).click();
    await page.getByRole("button", { name: "Download as mp4" }).waitFor({ timeout: PATIENCE });
    const film = await row(page, 1);
    await film.filled(4);
    const frame = film.root.getByRole("slider", { name: "Frame" });
    assert.equal(await frame.inputValue(), "0");
    await film.button("Play").click();
    const seen = new Set();
    const until = Date.now() + PATIENCE;
    while (seen.size < 4 && Date.now() < until) {
      seen.add((await film.pictures()).map(({ hash }) => hash).join());
    }
    assert.ok(seen.size >= 4, `${seen.size} different frames`);
    await film.button("Pause").click();
    await frame.fill("5");
    const last = await film.filled(4);
    await frame.fill("2");
    await film.until((now) => now.every(({ hash }, k) => hash !== last[k].hash), "not in step");
  });
});

describe("the other tabs", () => {
  for (const [name, shows] of [
    ["Metrics", "[data-testid=stDataFrame]"],
    ["Training", "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg"],
  ]) {
    it(`${name} show something`, async () => {
      await page.getByRole("tab", { name }).click();
      await page.locator(shows).locator("visible=true").first().waitFor({ timeout: PATIENCE });
    });
  }

  it("Report gives a page that needs no server", async () => {
    await page.getByRole("tab", { name: "Report" }).click();
    const asked = page.waitForEvent("download", { timeout: PATIENCE });
    await page.getByRole("button", { name: "Download HTML" }).click();
    const download = await asked;
    const text = readFileSync(await download.path(), "utf8");
    assert.equal(download.suggestedFilename(), `${RUN}.html`);
    assert.match(text.slice(0, 50), /^<!doctype html>/i);
    assert.ok(text.includes(RUN), "it does not name the run");
    assert.ok(text.includes("data:image/png;base64,"), "it holds no picture");
    assert.deepEqual(text.match(/(?:src|href)="https?:[^"]*"/g), null);
  });
});

describe("all along", () => {
  it("nothing was asked for off the machine, and nothing complained", () => {
    const own = new RegExp(`^(blob:|data:|${panel.origin}/)`);
    assert.deepEqual(
      panel.requests.filter((url) => !own.test(url)),
      [],
    );
    assert.deepEqual(panel.complaints, []);
  });
});
