/** Where a camera is, what changed, and hands: mouse, fingers and keys through the browser's own input. */
import assert from "node:assert/strict";
import { beforeEach } from "node:test";

import { psnr } from "./pictures.mjs";
import { atRest, camera, manifest, visible, visits } from "./site.mjs";

const { envelope } = manifest();

const position = ({ T_norm_camera: T }) => [T[3], T[7], T[11]].map((x, i) => x - envelope.pivot[i]);
export const radius = (pose) => Math.hypot(...position(pose));
export const azimuth = (pose) => Math.atan2(position(pose)[1], position(pose)[0]);
export const elevation = (pose) => Math.asin(position(pose)[2] / radius(pose));
/** b - a as an angle in (-pi, pi]. */
export const between = (a, b) => Math.atan2(Math.sin(b - a), Math.cos(b - a));

/** The largest difference between the numbers of two cameras. */
export const apart = (a, b) =>
  Math.max(
    ...a.T_norm_camera.map((x, i) => Math.abs(x - b.T_norm_camera[i])),
    ...a.intrinsics.map((x, i) => Math.abs(x - b.intrinsics[i])),
  );

/** Do something, wait for rest; the camera and the visible picture before and after. */
export async function change(page, act) {
  const before = { pose: await camera(page), seen: await visible(page) };
  await act();
  await atRest(page);
  return { before, after: { pose: await camera(page), seen: await visible(page) } };
}

/** Wait until the camera stays where it is; false if it never does. */
export async function comesToRest(page) {
  for (let tries = 0; tries < 30; tries++) {
    const before = await camera(page);
    await page.waitForTimeout(400);
    if (apart(before, await camera(page)) === 0) return true;
  }
  return false;
}

/** Wait until the camera is `pose`; animation frames may be late on a busy machine. */
export async function comesTo(page, pose) {
  for (let tries = 0; tries < 100; tries++) {
    if (apart(await camera(page), pose) < 1e-6) return;
    await page.waitForTimeout(200);
  }
  assert.fail(`the camera is still ${apart(await camera(page), pose)} away`);
}

export function looksDifferent({ before, after }) {
  const found = psnr(before.seen, after.seen);
  assert.ok(found < 30, `the picture did not change: ${found.toFixed(1)} dB`);
}

export function near(value, expected, within, name) {
  assert.ok(Math.abs(value - expected) <= within, `${name}: ${value}, expected ${expected}`);
}

/**
 * Fingers, through the browser's own input pipeline, not synthetic events: each frame is a list of
 * [x, y]. They rest before they are lifted, unless `fling`; with `end` "touchCancel" they are taken
 * away instead.
 */
export async function touch(page, frames, { fling = false, end = "touchEnd" } = {}) {
  const session = await page.context().newCDPSession(page);
  const send = (type, points) =>
    session.send("Input.dispatchTouchEvent", {
      type,
      touchPoints: points.map(([x, y], id) => ({ x, y, id })),
    });
  await send("touchStart", frames[0]);
  for (const points of frames.slice(1)) await send("touchMove", points);
  if (!fling) await page.waitForTimeout(150);
  await send(end, []);
  await session.detach();
}

/**
 * A key that goes down and up again before the next frame, however busy the machine is: by events
 * made in the page, since real ones are as far apart as the machine likes.
 */
export const tap = (page, key, shiftKey = false) =>
  page.evaluate(
    ([key, shiftKey]) => {
      const options = { key, code: key, shiftKey, bubbles: true, cancelable: true };
      const target = document.activeElement ?? document.body;
      for (const type of ["keydown", "keyup"])
        target.dispatchEvent(new KeyboardEvent(type, options));
    },
    [key, shiftKey],
  );

/** From one list of points to another, in `steps`. */
export const path = (from, to, steps = 5) =>
  Array.from({ length: steps + 1 }, (_, k) =>
    from.map(([x, y], i) => [x + ((to[i][0] - x) * k) / steps, y + ((to[i][1] - y) * k) / steps]),
  );

/** `picture` without `left` columns and `top` rows at that side, `width` by `height` of the rest. */
export function cut(picture, left, top, width, height) {
  const rgba = new Float64Array(4 * width * height);
  for (let y = 0; y < height; y++) {
    const from = 4 * ((y + top) * picture.width + left);
    rgba.set(picture.rgba.subarray(from, from + 4 * width), 4 * y * width);
  }
  return { width, height, rgba };
}

/**
 * A page with the picture alone, so that only it can change, on WebAssembly; before every test the
 * camera is back at the start. `opened` hears of them.
 */
export function steered(options, opened) {
  const visit = visits("none", { hasTouch: true, ...options }, async (visit) => {
    visit.page = await visit.browser.openReady("?ui=off");
    opened(visit);
  });
  beforeEach(async () => {
    const { page } = visit;
    await page.bringToFront();
    await page.keyboard.press("r");
    await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).blur());
    await comesTo(page, manifest().start);
    await atRest(page);
  });
}

/** Magnify with the wheel at (x, y), as far as it goes. */
export async function magnify(page, x = 200, y = 150) {
  await page.mouse.move(x, y);
  for (let k = 0; k < 4; k++) await page.mouse.wheel(0, -600);
  await atRest(page);
}
