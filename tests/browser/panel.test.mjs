/** The panel in a real browser: one visitor's way through it. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { openPanel, row } from "./panel.mjs";

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
  const until = Date.now() + 60_000;
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
  it("is turned by a drag", async () => {
    await page.getByRole("tab", { name: "Free camera" }).click();
    panes = await row(page);
    const before = await panes.filled(4);
    await panes.drag(0, 0.25, 0);
    await panes.until((now) => now.every(({ hash }, k) => hash !== before[k].hash), "not turned");
    await panes.root.locator('[data-busy="true"]').waitFor({ state: "detached" });
  });
});

describe("all along", () => {
  it("nothing was asked for off the machine, and nothing complained", () => {
    const strange = panel.requests.filter(
      (url) => !/^(blob|data):/.test(url) && !url.startsWith(panel.origin),
    );
    assert.deepEqual(strange, []);
    assert.deepEqual(panel.complaints, []);
  });
});
