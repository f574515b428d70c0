/**
 * The camera by itself: what a link says of it, and how it goes round. On WebAssembly.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { psnr } from "./pictures.mjs";
import { addressOf, atRest, camera, drag, manifest, openBrowser, ready, visible } from "./site.mjs";
import {
  apart,
  azimuth,
  between,
  change,
  elevation,
  looksDifferent,
  magnify,
  near,
  radius,
  steered,
} from "./views.mjs";

const { envelope, start } = manifest();
const VIEWPORT = { width: 400, height: 300 };
const MOST = 3 * envelope.focal[1];

let site;
let browser;
let page;
steered({ viewport: VIEWPORT }, (visit) => ({ site, browser, page } = visit));

const hash = (page) => page.evaluate(() => location.hash);

/** Wait until the address says where the camera rests; that. */
async function written(page) {
  await atRest(page);
  await page.waitForTimeout(400);
  return hash(page);
}

describe("the address", () => {
  it("says nothing of the start, and forgets what is undone", async () => {
    assert.equal(await written(page), "");
    await page.keyboard.press("ArrowRight");
    assert.match(await written(page), /^#view=[-0-9.,e]+$/);
    await page.keyboard.press("r");
    assert.equal(await written(page), "");
  });

  it("is a link to the very same view, once the camera rests", async () => {
    const entries = await page.evaluate(() => history.length);
    await page.evaluate(() => history.replaceState(null, "", "#look=colour"));
    await magnify(page, 260, 120);
    await drag(page, 40, -20);
    const said = await written(page);
    assert.match(said, /^#look=colour&view=/);
    assert.equal(await page.evaluate(() => history.length), entries);
    const [pose, seen] = [await camera(page), await visible(page)];
    const other = await browser.openReady(`?ui=off${said}`);
    assert.ok(apart(await camera(other), pose) < 2e-5, `${apart(await camera(other), pose)}`);
    const found = psnr(await visible(other), seen);
    assert.ok(found > 45, `the link shows something else: ${found.toFixed(1)} dB`);
    assert.equal(await written(other), said); // it says the same again
    await other.close();
    await page.evaluate(() => history.replaceState(null, "", location.pathname + location.search));
  });

  it("may be changed by hand: the camera goes there", async () => {
    const moved = await change(page, () =>
      page.evaluate(() => (location.hash = "#view=1,0.5,3,0,0,0,1.3")),
    );
    looksDifferent(moved);
    near(azimuth(moved.after.pose), 1, 1e-6, "azimuth");
    near(elevation(moved.after.pose), 0.5, 1e-6, "elevation");
  });

  it("is brought inside the limits, and left out where it makes no sense", async () => {
    const far = await browser.openReady("?ui=off#view=1,9,99,0,0,0,99");
    const pose = await camera(far);
    near(elevation(pose), envelope.elevation[1], 1e-6, "elevation");
    near(radius(pose), envelope.radius[1], 1e-6, "distance");
    near(pose.intrinsics[1], MOST, 1e-6, "focal length");
    await far.close();
    const bad = await browser.openReady("?ui=off#view=nowhere");
    assert.ok(apart(await camera(bad), start) < 1e-6);
    assert.ok(browser.log.some((line) => line.includes("#view=nowhere")));
    await bad.close();
  });
});

describe("going round by itself", () => {
  const turns = async (page) => {
    const before = azimuth(await camera(page));
    await page.waitForTimeout(700);
    return Math.abs(between(before, azimuth(await camera(page))));
  };

  it("begins a while after the first frame, until somebody touches it; P goes on", async () => {
    const round = await browser.openReady("?ui=off&rotate=on");
    assert.equal(await turns(round), 0);
    await round.waitForTimeout(2500);
    assert.ok((await turns(round)) > 0.02);
    assert.equal(await hash(round), "");
    await round.mouse.move(200, 150);
    await round.mouse.down();
    await round.mouse.up();
    await atRest(round);
    assert.equal(await turns(round), 0);
    await round.keyboard.press("p");
    await round.waitForTimeout(800);
    assert.ok((await turns(round)) > 0.02);
    await round.keyboard.press("p");
    await atRest(round);
    assert.equal(await turns(round), 0);
    await round.close();
  });

  for (const [name, query, options] of /** @type {[string, string, object][]} */ ([
    ["a camera is asked for", "?ui=off&reference=0", {}],
    ["the link says where to look", "?ui=off#view=1,0.5,3,0,0,0,1.3", {}],
    ["motion is to be reduced", "?ui=off", { reducedMotion: "reduce" }],
  ])) {
    it(`does not where ${name}`, async () => {
      const own = await openBrowser(site, "none", { viewport: VIEWPORT, ...options });
      const still = await own.context.newPage();
      const address = new URL(addressOf(site, query));
      address.searchParams.delete("rotate");
      await still.goto(address.href);
      await ready(still);
      await still.waitForTimeout(3000);
      const turned = await turns(still);
      await own.close();
      assert.equal(turned, 0);
    });
  }
});
