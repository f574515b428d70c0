/**
 * What hands do to the camera, and what they see of it. On WebAssembly: there a frame takes
 * milliseconds.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";

import { enlarged, psnr } from "./pictures.mjs";
import {
  atRest,
  camera,
  comesToShow,
  drag,
  manifest,
  openBrowser,
  openSite,
  poster,
  settled,
  stats,
} from "./site.mjs";
import {
  azimuth,
  between,
  change as changeOf,
  elevation,
  looksDifferent,
  radius,
  tap,
  touch,
} from "./views.mjs";

const { envelope, models } = manifest();
const { width, height } = models[0];
const VIEWPORT = { width: 420, height: 300 };

let site;
let browser;
let page;
before(async () => {
  site = await openSite();
  browser = await openBrowser(site, "none", {
    viewport: VIEWPORT,
    hasTouch: true,
  });
  page = await browser.openReady("?ui=off"); // the picture alone, so that only it can change
});
after(async () => {
  await browser.close();
  await site.close();
});
beforeEach(async () => {
  await page.setViewportSize(VIEWPORT);
  await page.keyboard.press("r");
  // A key after a click makes the focus ring visible, which is not part of the picture.
  await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).blur());
  await atRest(page);
});

/** On this file's page. */
const change = (act) => changeOf(page, act);

describe("the mouse", () => {
  /** A quick drag: all events sent at once, so that a busy machine does not slow it down. */
  async function fling(dx) {
    const session = await page.context().newCDPSession(page);
    const send = (type, x) =>
      session.send("Input.dispatchMouseEvent", { type, x, y: 150, button: "left", clickCount: 1 });
    const moves = [1, 2, 3].map((k) => ["mouseMoved", 200 + (k * dx) / 3]);
    const events = [["mousePressed", 200], ...moves, ["mouseReleased", 200 + dx]];
    await Promise.all(events.map(([type, x]) => send(type, x)));
  }

  it("turns by half a turn per height of the picture", async () => {
    const moved = await change(() => drag(page, 60, -15));
    looksDifferent(moved);
    const { before, after } = moved;
    const angle = between(azimuth(before.pose), azimuth(after.pose));
    assert.ok(Math.abs(angle + (Math.PI * 60) / VIEWPORT.height) < 0.01, `azimuth by ${angle}`);
    const lift = elevation(after.pose) - elevation(before.pose);
    assert.ok(Math.abs(lift + (Math.PI * 15) / VIEWPORT.height) < 0.01, `elevation by ${lift}`);
  });

  it("cannot leave the cameras that the student was trained for", async () => {
    const { after } = await change(() => drag(page, 0, 280));
    assert.ok(Math.abs(elevation(after.pose) - envelope.elevation[1]) < 1e-6);
  });

  it("glides on after a fling, and comes to rest", async () => {
    const { before, after } = await change(() => fling(60));
    const angle = Math.abs(between(azimuth(before.pose), azimuth(after.pose)));
    assert.ok(angle > (1.2 * Math.PI * 60) / VIEWPORT.height, `azimuth by ${angle} only`);
  });

  it("comes closer with the wheel, as far as it may", async () => {
    await page.mouse.move(200, 150);
    const moved = await change(() => page.mouse.wheel(0, -100));
    looksDifferent(moved);
    const ratio = radius(moved.before.pose) / radius(moved.after.pose);
    assert.ok(ratio > 1.05, `nearer by ${ratio}`);
    const { after } = await change(() => page.mouse.wheel(0, -5000));
    assert.ok(Math.abs(radius(after.pose) - envelope.radius[0]) < 1e-6);
  });

  it("does not scroll the page with the wheel", async () => {
    await page.mouse.move(200, 150);
    await page.mouse.wheel(0, 500);
    assert.equal(await page.evaluate(() => window.scrollY), 0);
  });

  it("draws nothing by hovering", async () => {
    const frames = await atRest(page);
    await page.mouse.move(100, 100);
    await page.mouse.move(300, 200, { steps: 5 });
    assert.equal(await atRest(page), frames);
  });
});

describe("the keyboard", () => {
  it("turns with the arrows, zooms with + and -, and goes back with R", async () => {
    const turned = await change(async () => {
      for (let k = 0; k < 3; k++) await tap(page, "ArrowRight");
    });
    looksDifferent(turned);
    const angle = between(azimuth(turned.before.pose), azimuth(turned.after.pose));
    assert.ok(Math.abs(angle - (3 * Math.PI) / 36) < 1e-6, `azimuth by ${angle}`);
    const nearer = await change(() => page.keyboard.press("+"));
    assert.ok(radius(nearer.after.pose) < radius(nearer.before.pose));
    const home = await change(() => page.keyboard.press("r"));
    home.after.pose.T_norm_camera.forEach((value, i) => {
      assert.ok(Math.abs(value - turned.before.pose.T_norm_camera[i]) < 1e-9);
    });
    assert.ok(psnr(home.after.seen, turned.before.seen) > 50);
  });

  it("leaves the browser its own shortcuts", async () => {
    const { before, after } = await change(() => page.keyboard.press("Control+ArrowRight"));
    assert.deepEqual(after.pose, before.pose);
  });
});

describe("fingers", () => {
  it("turn with one", async () => {
    const moved = await change(() => touch(page, [[[200, 150]], [[180, 150]], [[140, 150]]]));
    looksDifferent(moved);
    assert.ok(between(azimuth(moved.before.pose), azimuth(moved.after.pose)) > 0.5);
  });

  it("come closer by spreading two", async () => {
    const moved = await change(() =>
      touch(page, [
        [
          [190, 150],
          [230, 150],
        ],
        [
          [185, 150],
          [235, 150],
        ],
      ]),
    );
    const ratio = radius(moved.before.pose) / radius(moved.after.pose);
    const most = radius(moved.before.pose) / envelope.radius[0];
    assert.ok(Math.abs(ratio - Math.min(50 / 40, most)) < 0.01, `nearer by ${ratio}`);
  });
});

describe("the window", () => {
  it("may change its size: the picture fills it again, sharply, without another run", async () => {
    const frames = await atRest(page);
    await page.setViewportSize({ width: 260, height: 400 });
    const box = await page.locator("#picture").boundingBox();
    assert.deepEqual(box, { x: 0, y: 70, width: 260, height: 260 });
    await comesToShow(page, enlarged(poster, 260, 260), 45); // by an enlargement of our own
    assert.equal((await stats(page)).frames, frames);
  });

  it("draws nothing while it is hidden, and the newest camera after it", async () => {
    const hide = (hidden) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, "hidden", {
          value: hidden,
          configurable: true,
        });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    const frames = await atRest(page);
    await hide(true);
    await page.keyboard.press("ArrowRight");
    assert.equal(await atRest(page), frames);
    await hide(false);
    assert.equal(await atRest(page), frames + 1);
  });

  it("draws nothing while nobody moves", async () => {
    const frames = await atRest(page);
    await page.waitForTimeout(700);
    assert.equal((await stats(page)).frames, frames);
  });
});

describe("a screen with two pixels per point, and somebody who asked for reduced motion", () => {
  let page;
  let other;
  before(async () => {
    const viewport = { width, height };
    const options = { viewport, deviceScaleFactor: 2, reducedMotion: "reduce" };
    other = await openBrowser(site, "none", options);
    page = await other.openReady("?ui=off");
  });
  after(() => other.close());

  it("the picture is sharp", () => comesToShow(page, enlarged(poster, 2 * width, 2 * height), 45));

  it("the camera moves at once, without smoothing", async () => {
    const frames = await atRest(page);
    await tap(page, "ArrowRight");
    assert.equal(await atRest(page), frames + 1);
  });
});

describe("around the picture", () => {
  let page;
  before(async () => {
    page = await browser.openReady();
    await page.setViewportSize({ width: 800, height: 300 }); // wide enough for all buttons
  });
  after(() => page.close());

  it("opens and closes the help, and reaches picture and buttons in order", async () => {
    await page.keyboard.press("?");
    await page.locator("#help[open]").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#help:not([open])").waitFor({ state: "attached" });
    const names = [];
    for (let k = 0; k < 10; k++) {
      await page.keyboard.press("Tab");
      names.push(await page.evaluate(() => document.activeElement.getAttribute("aria-label")));
    }
    assert.match(names[0], /look around/);
    assert.deepEqual(names.slice(1), [
      "Depth",
      "Background",
      "Compare",
      "Save picture",
      "Share",
      "About this scene",
      "Back to the start",
      "Full screen",
      "Help",
    ]);
  });

  it("a hint stands until somebody moves", async () => {
    const opacity = () =>
      page.evaluate(() => Number(getComputedStyle(document.querySelector("#hint")).opacity));
    await settled(page);
    assert.ok((await opacity()) > 0.5);
    await drag(page, 30, 0);
    await settled(page);
    assert.equal(await opacity(), 0);
  });

  it("a line of figures names backend, size and time", async () => {
    await page.waitForTimeout(300);
    const text = await page.locator("#info").innerText();
    assert.match(text, new RegExp(`^WebAssembly · ${width} × ${height} · fp32 · [0-9.]+ ms`));
  });

  it("a button goes back to the start", async () => {
    const start = await page.evaluate(() => window.pocketfield.manifest.start.T_norm_camera);
    await page.locator("#reset").click();
    await atRest(page);
    const { T_norm_camera } = await camera(page);
    T_norm_camera.forEach((value, i) => assert.ok(Math.abs(value - start[i]) < 1e-6));
  });
});
