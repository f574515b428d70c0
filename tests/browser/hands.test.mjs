/**
 * The camera under hands: what magnifies, gives way and glides. On WebAssembly: there a frame takes
 * milliseconds.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";

import { psnr } from "./pictures.mjs";
import { atRest, camera, manifest, openBrowser, stats } from "./site.mjs";
import {
  apart,
  azimuth,
  between,
  change,
  comesTo,
  comesToRest,
  cut,
  elevation,
  looksDifferent,
  magnify,
  near,
  path,
  radius,
  tap,
  steered,
  touch,
} from "./views.mjs";

const viewer = new URL("../../web/viewer/", import.meta.url);
const { devices } = createRequire(new URL("package.json", viewer))("playwright-core");

const { envelope, start } = manifest();
const VIEWPORT = { width: 400, height: 300 };
const SIDE = 300; // of the picture, which is a square: from x = 50 to 350
const MOST = 3 * envelope.focal[1];
const [, HOME_FOCAL, CX, CY] = start.intrinsics;

let site;
let page;
steered({ viewport: VIEWPORT }, (visit) => ({ site, page } = visit));

/** How large things at the pivot are drawn. */
const size = (pose) => pose.intrinsics[1] / radius(pose);

/** The direction in which the pixel (x, y) looks, in the norm frame. */
function ray(pose, x, y) {
  const { T_norm_camera: T, intrinsics } = pose;
  const [fx, fy, cx, cy] = intrinsics;
  const d = [((x - 50) / SIDE - cx) / fx, (cy - y / SIDE) / fy, -1];
  const world = [0, 4, 8].map((i) => T[i] * d[0] + T[i + 1] * d[1] + T[i + 2] * d[2]);
  return world.map((value) => value / Math.hypot(...world));
}

describe("magnifying", () => {
  it("goes on where the nearest camera is reached, to three times the trained focal length", async () => {
    const moved = await change(page, () => magnify(page));
    looksDifferent(moved);
    near(radius(moved.after.pose), envelope.radius[0], 1e-6, "distance");
    near(moved.after.pose.intrinsics[1], MOST, 1e-6, "focal length");
    const again = await change(page, () => magnify(page)); // the edge gives way, and springs back
    assert.ok(apart(again.before.pose, again.after.pose) < 1e-6);
  });

  it("keeps in its place what is under the mouse", async () => {
    await page.mouse.move(200, 150);
    await page.mouse.wheel(0, -100); // as near as it may, in the middle: the rest is magnifying
    await atRest(page);
    const { before, after } = await change(page, () => magnify(page, 270, 110));
    const [a, b] = [ray(before.pose, 270, 110), ray(after.pose, 270, 110)];
    near(Math.hypot(...a.map((x, i) => x - b[i])), 0, 1e-4, "the ray under the mouse moved by");
    assert.ok(after.pose.intrinsics[1] > 1.5 * before.pose.intrinsics[1]);
  });

  it("ends where it began when it is undone", async () => {
    const { before, after } = await change(page, async () => {
      await magnify(page, 300, 80);
      await page.mouse.move(120, 200);
      for (let k = 0; k < 8; k++) await page.mouse.wheel(0, 600);
    });
    near(radius(after.pose), envelope.radius[1], 1e-6, "distance"); // all the way out
    near(after.pose.intrinsics[1], HOME_FOCAL, 1e-6, "focal length");
    near(after.pose.intrinsics[2], CX, 1e-6, "principal point"); // the axis is back
    near(between(azimuth(before.pose), azimuth(after.pose)), 0, 1e-9, "azimuth");
  });

  it("works by a trackpad's pinch, and the page is not magnified", async () => {
    const session = await page.context().newCDPSession(page);
    await page.mouse.move(200, 150);
    const { before, after } = await change(page, () =>
      session.send("Input.dispatchMouseEvent", {
        type: "mouseWheel",
        x: 200,
        y: 150,
        deltaX: 0,
        deltaY: -20,
        modifiers: 2, // Ctrl
      }),
    );
    near(size(after.pose) / size(before.pose), Math.exp(0.2), 1e-3, "larger by");
    assert.equal(await page.evaluate(() => window.visualViewport.scale), 1);
  });
});

describe("moving the magnified picture", () => {
  /** The picture has moved by (dx, dy) pixels: the camera says so, and so do the pixels. */
  function movedBy({ before, after }, dx, dy) {
    const [u, v] = [0, 1].map((i) => after.pose.intrinsics[2 + i] - before.pose.intrinsics[2 + i]);
    near(u * SIDE, dx, 0.01, "to the right");
    near(v * SIDE, dy, 0.01, "downwards");
    near(
      apart({ ...before.pose, intrinsics: [] }, { ...after.pose, intrinsics: [] }),
      0,
      1e-9,
      "T",
    );
    const [w, h] = [SIDE - Math.abs(dx), SIDE - Math.abs(dy)];
    const from = (x) => Math.max(0, x);
    const a = cut(before.seen, from(-dx), from(-dy), w, h);
    const b = cut(after.seen, from(dx), from(dy), w, h);
    assert.ok(psnr(a, b) > 38, `what is seen has moved otherwise: ${psnr(a, b).toFixed(1)} dB`);
    assert.ok(psnr(before.seen, after.seen) < psnr(a, b) - 6);
  }

  for (const [name, press, release] of [
    ["the right button", { button: "right" }, null],
    ["the middle button", { button: "middle" }, null],
    ["Shift", { button: "left" }, "Shift"],
  ]) {
    it(`follows the mouse with ${name}`, async () => {
      await magnify(page);
      const moved = await change(page, async () => {
        await page.mouse.move(200, 150);
        if (release !== null) await page.keyboard.down(release);
        await page.mouse.down(press);
        await page.mouse.move(230, 130, { steps: 5 });
        await page.waitForTimeout(150);
        await page.mouse.up(press);
        if (release !== null) await page.keyboard.up(release);
      });
      movedBy(moved, 30, -20);
    });
  }

  it("follows two fingers", async () => {
    await magnify(page);
    const [from, to] = [
      [
        [150, 150],
        [250, 150],
      ],
      [
        [180, 130],
        [280, 130],
      ],
    ];
    movedBy(await change(page, () => touch(page, path(from, to))), 30, -20);
  });

  it("follows Shift and the arrows", async () => {
    await magnify(page);
    const moved = await change(page, () => tap(page, "ArrowLeft", true));
    movedBy(moved, 15, 0);
  });

  it("ends where the trained picture ends", async () => {
    await magnify(page);
    const { after } = await change(page, async () => {
      for (let k = 0; k < 4; k++) {
        await page.mouse.move(100, 60);
        await page.mouse.down({ button: "right" });
        await page.mouse.move(340, 290, { steps: 4 });
        await page.mouse.up({ button: "right" });
      }
    });
    const [fx, fy, cx, cy] = after.pose.intrinsics;
    near(-cx / fx, -CX / envelope.focal[0], 1e-6, "left edge"); // as tangents
    near(cy / fy, CY / envelope.focal[0], 1e-6, "upper edge");
  });

  it("glides on after a fling", async () => {
    await magnify(page);
    const { before, after } = await change(page, async () => {
      const session = await page.context().newCDPSession(page);
      const send = (type, x) =>
        session.send("Input.dispatchMouseEvent", { type, x, y: 150, button: "right", buttons: 2, clickCount: 1 }); // prettier-ignore
      const moves = [1, 2, 3].map((k) => ["mouseMoved", 200 + 10 * k]);
      const events = [["mousePressed", 200], ...moves, ["mouseReleased", 230]];
      await Promise.all(events.map(([type, x]) => send(type, x)));
    });
    const way = (after.pose.intrinsics[2] - before.pose.intrinsics[2]) * SIDE;
    assert.ok(way > 1.2 * 30, `by ${way} pixels only`);
  });
});

describe("the edge", () => {
  it("gives way under the hand by less than 3 degrees, and springs back", async () => {
    await page.mouse.move(200, 20);
    await page.mouse.down();
    await page.mouse.move(200, 280, { steps: 8 });
    await page.waitForTimeout(500);
    const held = elevation(await camera(page)) - envelope.elevation[1];
    assert.ok(held > 0.02 && held <= 0.0401, `past the edge by ${held}`);
    await page.mouse.up();
    await atRest(page);
    near(elevation(await camera(page)), envelope.elevation[1], 1e-9, "elevation");
  });
});

describe("a double click", () => {
  function comesCloser({ before, after }) {
    near(size(after.pose) / size(before.pose), 1.6, 0.01, "larger by");
  }

  it("looks at what is there and comes closer, softly", async () => {
    const moved = await change(page, () => page.mouse.dblclick(225, 140));
    looksDifferent(moved);
    comesCloser(moved);
    const [was, is] = [ray(moved.before.pose, 225, 140), ray(moved.after.pose, 200, 150)];
    const angle = Math.acos(was.reduce((sum, x, i) => sum + x * is[i], 0));
    assert.ok(angle < 0.08, `the middle is ${angle} rad from what was clicked`);
  });

  it("does nothing where nothing is", async () => {
    const { before, after } = await change(page, () => page.mouse.dblclick(56, 6));
    assert.ok(apart(before.pose, after.pose) < 1e-9);
  });

  it("may be a double tap, or F for the middle", async () => {
    const finger = () => touch(page, [[[220, 150]]], { fling: true });
    comesCloser(await change(page, async () => (await finger(), await finger())));
    await page.keyboard.press("r");
    await atRest(page);
    comesCloser(await change(page, () => page.keyboard.press("f")));
  });

  it("is given up when a hand moves on", async () => {
    await page.mouse.dblclick(225, 140);
    await page.keyboard.press("r");
    await atRest(page);
    assert.ok(apart(await camera(page), start) < 1e-6);
  });
});

describe("keys", () => {
  it("turn steadily while they are held, and stop when they are not", async () => {
    const { before, after } = await change(page, async () => {
      await page.keyboard.down("ArrowRight");
      await page.waitForFunction(() => window.pocketfield.stats().frames > 0);
      await page.waitForTimeout(800);
      await page.keyboard.up("ArrowRight");
    });
    const angle = between(azimuth(before.pose), azimuth(after.pose));
    assert.ok(angle > 0.4, `azimuth by ${angle} only`); // 1.2 per second, less where frames are late
  });

  it("zoom with PageUp and PageDown, and Home goes back", async () => {
    const there = await change(page, () => tap(page, "PageUp"));
    near(radius(there.before.pose) / radius(there.after.pose), 1.1, 1e-6, "nearer by");
    const back = await change(page, () => tap(page, "PageDown"));
    near(radius(back.after.pose), radius(there.before.pose), 1e-6, "distance");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Home");
    await comesTo(page, start);
  });

  for (const [name, act] of /** @type {[string, () => Promise<void>][]} */ ([
    ["the window loses the keyboard", () => page.evaluate(() => window.dispatchEvent(new Event("blur")))], // prettier-ignore
    ["a shortcut of the browser begins", () => page.keyboard.down("Control")],
  ])) {
    it(`do not stick when ${name}`, async () => {
      await page.keyboard.down("ArrowRight");
      await page.waitForTimeout(100);
      await act();
      const rests = await comesToRest(page);
      await page.keyboard.up("Control");
      await page.keyboard.up("ArrowRight");
      assert.ok(rests, "the key is stuck");
    });
  }

  it("are left to a field that somebody types into", async () => {
    await page.evaluate(() => {
      const field = document.createElement("input");
      field.id = "typed";
      document.body.append(field);
      field.focus();
    });
    const { before, after } = await change(page, async () => {
      for (const key of ["+", "p", "f", "ArrowRight", "PageUp"]) await page.keyboard.press(key);
    });
    assert.equal(apart(before.pose, after.pose), 0);
    assert.equal(await page.locator("#typed").inputValue(), "+pf");
    await page.evaluate(() => document.querySelector("#typed").remove());
  });
});

describe("pointers", () => {
  it("may leave the window while they drag, and let go over something else", async () => {
    const { before, after } = await change(page, async () => {
      await page.evaluate(() => {
        const above = document.createElement("div"); // a panel, say: no part of the stage
        above.id = "above";
        above.style.cssText = "position: fixed; inset: 0 auto 0 0; width: 50px; z-index: 9";
        document.body.append(above);
      });
      await page.mouse.move(200, 150);
      await page.mouse.down();
      await page.mouse.move(-60, 150, { steps: 6 });
      await page.mouse.move(30, 150, { steps: 6 });
      await page.waitForTimeout(150);
      await page.mouse.up();
      await page.evaluate(() => document.querySelector("#above").remove());
    });
    const angle = between(azimuth(before.pose), azimuth(after.pose));
    near(angle, (Math.PI * 170) / SIDE, 0.01, "azimuth");
    const rest = await change(page, () => page.mouse.move(300, 100, { steps: 3 }));
    assert.equal(apart(rest.before.pose, rest.after.pose), 0); // let go is let go
  });

  it("glide no further when the browser takes a finger away", async () => {
    const frames = path([[300, 150]], [[240, 150]], 4);
    const { before, after } = await change(page, () =>
      touch(page, frames, { fling: true, end: "touchCancel" }),
    );
    const angle = between(azimuth(before.pose), azimuth(after.pose));
    near(angle, (Math.PI * 60) / SIDE, 0.01, "azimuth");
    const next = await change(page, () => touch(page, path([[200, 150]], [[170, 150]])));
    looksDifferent(next); // the next finger turns as ever
  });

  it("bring up no menu, select nothing, and magnify no page", async () => {
    const prevented = await page.evaluate(() => {
      const stage = document.querySelector("#stage");
      return [
        "contextmenu",
        "selectstart",
        "dragstart",
        "dblclick",
        "gesturestart",
        "gesturechange",
      ]
        .map((type) => new Event(type, { bubbles: true, cancelable: true }))
        .map((event) => (stage.dispatchEvent(event), event.defaultPrevented));
    });
    assert.deepEqual(prevented, Array(6).fill(true));
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector("#stage")).touchAction), "none"); // prettier-ignore
  });

  it("turn a page that a gamepad moves", async () => {
    await page.evaluate(() => {
      const pad = { axes: [0.9, 0, 0, 0], buttons: Array(17).fill({ value: 0 }) };
      let pads = [pad, null];
      navigator.getGamepads = () => /** @type {any} */ (pads);
      window.dispatchEvent(new Event("gamepadconnected"));
      setTimeout(() => (pad.axes = [0.05, 0, 0, 0]), 400);
      setTimeout(() => (pads = []), 1500);
    });
    const before = await camera(page);
    await page.waitForTimeout(600);
    await atRest(page);
    assert.ok(between(azimuth(before), azimuth(await camera(page))) > 0.1);
    await page.waitForTimeout(1000);
  });
});

describe("on a phone", () => {
  let phone;
  let own;
  before(async () => {
    own = await openBrowser(site, "none", devices["Pixel 7"]);
    phone = await own.openReady("?ui=off");
  });
  after(() => own.close());

  it("one finger turns, two magnify and move, and the page stays as it is", async () => {
    const { width, height } = phone.viewportSize();
    const [x, y, side] = [width / 2, height / 2, width]; // the picture is as wide as the screen
    const turned = await change(phone, () => touch(phone, path([[x, y]], [[x - 80, y]])));
    looksDifferent(turned);
    const angle = between(azimuth(turned.before.pose), azimuth(turned.after.pose));
    near(angle, (Math.PI * 80) / side, 0.02, "azimuth");
    const [from, to] = [40, 80].map((d) => [
      [x - d, y],
      [x + d, y],
    ]);
    const pinched = await change(phone, () => touch(phone, path(from, to, 8)));
    looksDifferent(pinched);
    near(size(pinched.after.pose) / size(pinched.before.pose), 2, 0.02, "larger by");
    const view = await phone.evaluate(() => [window.visualViewport.scale, window.scrollY]);
    assert.deepEqual(view, [1, 0]);
  });

  it("turned on its side it shows the same, larger or smaller", async () => {
    const frames = await atRest(phone);
    const pose = await camera(phone);
    const { width, height } = phone.viewportSize();
    await phone.setViewportSize({ width: height, height: width });
    await atRest(phone);
    assert.equal(apart(await camera(phone), pose), 0);
    assert.ok((await stats(phone)).frames <= frames + 1);
    const moved = await change(phone, () => touch(phone, path([[300, 200]], [[260, 200]])));
    looksDifferent(moved);
  });
});
