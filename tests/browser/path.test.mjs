/** Camera paths on the page: played, scrubbed, taken over by a hand, linked to, refused. On WebAssembly. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";

import { psnr } from "./pictures.mjs";
import { atRest, camera, manifest, PREFIX, stats, visible, visits } from "./site.mjs";
import { apart, azimuth, between, near, radius } from "./views.mjs";

/** Once round the ball on a level circle, in twelve seconds, from the azimuth 0. */
function circle(distance = 3, frames = 24) {
  const { intrinsics } = manifest().start;
  const [cos, sin] = [Math.cos(0.6), Math.sin(0.6)];
  const poses = Array.from({ length: frames }, (_, k) => {
    const [c, s] = [Math.cos((2 * Math.PI * k) / frames), Math.sin((2 * Math.PI * k) / frames)];
    return [
      [-s, -sin * c, cos * c, distance * cos * c],
      [c, -sin * s, cos * s, distance * cos * s],
      [0, cos, sin, distance * sin],
      [0, 0, 0, 1],
    ];
  });
  return {
    ...{ name: "round", closed: true, fps: frames / 12, width: 64, height: 64 },
    frames: poses.map((T_norm_camera) => ({ T_norm_camera, intrinsics })),
  };
}

let browser;
let site;
let page;
const viewport = { width: 520, height: 320 };
visits("none", { viewport }, async (visit) => void ({ browser, site } = visit));
beforeEach(serveFiles);
function serveFiles() {
  const files = { round: circle(), far: circle(5), crooked: { ...circle(), frames: [] } };
  for (const [name, file] of Object.entries(files))
    site.faults.set(`${PREFIX}${name}.json`, (response) => response.end(JSON.stringify(file)));
}

const openAs = async (query) => (page = await browser.openReady(query));
const place = () => page.locator("#film-place").inputValue().then(Number);
const button = (name) => page.locator("#film").getByRole("button", { name, exact: true });
const hash = () => new URL(page.url()).hash;

/** Wait until the film has come to `time`; how far is then known. */
async function comesTo(time) {
  await page.waitForFunction(
    (time) => Number(/** @type {any} */ (document.getElementById("film-place")).value) >= time,
    time,
  );
}

/** The camera's azimuth is that of the path at `time`, of twelve seconds. */
function isAt(pose, time, within) {
  const off = between((2 * Math.PI * time) / 12, azimuth(pose));
  assert.ok(Math.abs(off) < within, `${off} rad away from where it should be at ${time} s`);
  near(radius(pose), 3, 0.01, "distance");
}

describe("a camera path in the address", () => {
  afterEach(() => page.close());

  it("plays from the first frame on, and the picture moves with it", async () => {
    await openAs("?path=round.json");
    await comesTo(0.3);
    const [seen, drawn] = [await visible(page), (await stats(page)).frames];
    await comesTo(3);
    await button("Pause").click();
    await atRest(page);
    isAt(await camera(page), await place(), 0.01);
    assert.ok((await stats(page)).frames > drawn + 3);
    assert.ok(psnr(seen, await visible(page)) < 30, "the picture did not change");
  });

  it("stands where the address says, so that a link leads there", async () => {
    await openAs("?path=round.json#t=4.5");
    await atRest(page);
    isAt(await camera(page), 4.5, 1e-4);
    assert.equal(await page.locator("#film-clock").innerText(), "0:04 / 0:12");
    await page.locator("#film-place").focus();
    await page.keyboard.press("End"); // of a closed path: the start once more
    await atRest(page);
    isAt(await camera(page), 12, 1e-4);
    assert.equal(hash(), "#t=12");
    await page.evaluate(() => void (location.hash = "t=6"));
    await atRest(page);
    isAt(await camera(page), 6, 1e-4);
  });

  it("waits where the visitor prefers reduced motion, or looks at something else", async () => {
    page = await browser.context.newPage();
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.goto(`${site.origin}${PREFIX}?path=round.json`);
    await button("Play").waitFor();
    await page.waitForFunction(() => window.pocketfield?.stats().frames > 0);
    await page.waitForTimeout(300);
    assert.equal(await place(), 0);
    isAt(await camera(page), 0, 1e-6);
    await page.close();
    await openAs("?path=round.json#view=1,0.5,3,0,0,0,1.3");
    await page.waitForTimeout(300);
    assert.equal(await place(), 0);
    near(azimuth(await camera(page)), 1, 1e-3, "azimuth");
  });

  it("past what the student was trained for is drawn as asked, and says so", async () => {
    await openAs("?path=far.json");
    await page.locator("#film-outside:visible", { hasText: "Outside the views" }).waitFor();
    near(radius(await camera(page)), 5, 0.01, "distance");
    await page.keyboard.press("ArrowLeft"); // a hand's camera is inside
    await page.locator("#film-outside").waitFor({ state: "hidden" });
    await atRest(page);
    near(radius(await camera(page)), manifest().envelope.radius[1], 0.01, "distance");
  });
});

describe("a film", () => {
  before(() => {
    serveFiles(); // whoever tested before has cleared them
    return openAs("?path=round.json#t=2");
  });
  beforeEach(async () => {
    await page.locator("#film-place").fill("2");
    await atRest(page);
  });
  after(() => page.close());

  it("goes on from where it was scrubbed to, by button and key", async () => {
    await page.locator("#film-place").fill("7");
    await atRest(page);
    isAt(await camera(page), 7, 1e-4);
    await page.keyboard.press("Space"); // the focus is on the place
    await comesTo(7.5);
    assert.equal(hash(), "");
    await page.locator("#picture canvas").first().focus();
    await page.keyboard.press("Space");
    await atRest(page);
    const time = await place();
    assert.notEqual(time, 7);
    isAt(await camera(page), time, 0.01);
    assert.equal(hash(), `#t=${Number(time.toFixed(2))}`);
  });

  it("ends at its end, or begins again, at the speed that is asked for", async () => {
    await page.locator("#film-speed").selectOption("2");
    await page.locator("#film-place").fill("11.5");
    await button("Play").click();
    await page.waitForFunction(
      () => Number(/** @type {any} */ (document.getElementById("film-place")).value) < 5,
    );
    await button("Loop").click();
    assert.equal(await button("Loop").getAttribute("aria-pressed"), "false");
    await page.locator("#film-place").fill("11.5");
    await button("Play").click();
    await button("Play").waitFor(); // by itself
    assert.equal(await place(), 12);
  });

  it("stops under a hand, which has the camera without a jump", async () => {
    await button("Play").click();
    await comesTo(2.5);
    await page.mouse.move(200, 120);
    const poses = page.evaluate(async () => {
      const found = [];
      for (let k = 0; k < 90; k++) {
        await new Promise(requestAnimationFrame);
        found.push(window.pocketfield.camera());
      }
      return found;
    });
    await page.mouse.down();
    for (let x = 200; x > 188; x -= 4) await page.mouse.move(x, 120);
    const seen = (await poses).map(azimuth);
    for (const [k, angle] of seen.entries())
      if (k > 0) assert.ok(Math.abs(between(seen[k - 1], angle)) < 0.2, `a jump in frame ${k}`);
    await page.mouse.up();
    await button("Play").waitFor();
    await atRest(page);
    const held = await place();
    await page.waitForTimeout(400);
    assert.equal(await place(), held);
    assert.match(hash(), /^#view=/);
    await button("Play").click(); // and the film has it back
    await comesTo(held + 1);
    await button("Pause").click();
    await atRest(page);
    isAt(await camera(page), await place(), 0.01);
  });

  it("goes when it is closed; the camera stays, and hands move it", async () => {
    const before = await camera(page);
    await button("Close the camera path").click();
    assert.equal(await page.locator("#film").isVisible(), false);
    await atRest(page);
    assert.ok(apart(before, await camera(page)) < 1e-5);
    await page.keyboard.press("ArrowLeft");
    await atRest(page);
    assert.ok(apart(before, await camera(page)) > 0.01);
    await page.keyboard.press("Space");
    assert.equal(await page.locator("#film").isVisible(), false);
  });
});

describe("a camera path that cannot be played", () => {
  afterEach(() => page.close());

  for (const [query, said] of [
    ["?path=crooked.json", /camera path crooked\.json[^]*no frames[^]*python -m teacher path/],
    ["?path=nowhere.json", /camera path nowhere\.json[^]*404/],
  ])
    it(`is explained, and the scene is shown: ${query}`, async () => {
      page = await browser.open(query);
      await page.locator("#error", { hasText: said }).waitFor();
      await page.waitForFunction(() => window.pocketfield?.ready);
      assert.equal(await page.locator("#film").isVisible(), false);
      await page.getByRole("button", { name: "Close" }).click();
      await page.keyboard.press("ArrowLeft");
      await atRest(page);
      assert.ok(apart(await camera(page), manifest().start) > 0.01);
    });
});

describe("a dropped camera path", () => {
  let folder;
  before(() => void (folder = mkdtempSync(path.join(os.tmpdir(), "pocketfield-path-"))));
  after(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(() => page.close());

  it("plays in the scene that is shown", async () => {
    await openAs("");
    const file = path.join(folder, "round.json");
    writeFileSync(file, JSON.stringify(circle()));
    const session = await page.context().newCDPSession(page);
    const data = { items: [], files: [file], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"])
      await session.send("Input.dispatchDragEvent", { type, x: 200, y: 150, data });
    await comesTo(1.5);
    await button("Pause").click();
    await atRest(page);
    isAt(await camera(page), await place(), 0.01);
    assert.equal(hash(), ""); // no link leads to it
  });
});
