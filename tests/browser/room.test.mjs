/**
 * A scene that is looked at from its middle: the camera turns like a head. The ball of the other
 * tests is seen by a camera that stands behind the pivot and looks across it.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import {
  atRest,
  camera,
  drag,
  manifest,
  openBrowser,
  openSite,
  PREFIX,
  ready,
  visible,
} from "./site.mjs";
import { change, looksDifferent, near } from "./views.mjs";

const OUTLOOK = 2;
const whole = manifest();
const radius = whole.envelope.radius.map((r) => r + OUTLOOK);
const envelope = { ...whole.envelope, outlook: OUTLOOK, radius, target_spread: 0.05 };

let site;
let browser;
let page;
before(async () => {
  site = await openSite();
  site.faults.set(`${PREFIX}scene/manifest.json`, (response) =>
    response.writeHead(200).end(JSON.stringify({ ...whole, envelope })),
  );
  browser = await openBrowser(site, "none", { viewport: { width: 420, height: 300 } });
  page = await browser.context.newPage();
  await page.goto(`${site.origin}${PREFIX}?ui=off&rotate=off`);
  await ready(page);
});
after(async () => {
  await browser.close();
  await site.close();
});

/** Where the camera looks: azimuth and elevation of its optical axis. */
const heading = ({ T_norm_camera: T }) => [Math.atan2(-T[6], -T[2]), Math.asin(-T[10])];

describe("a camera that looks around", () => {
  it("begins where the bundle says", async () => {
    const { T_norm_camera: T } = await camera(page);
    whole.start.T_norm_camera.forEach((x, i) => near(T[i], x, 1e-5, `number ${i}`));
  });

  it("turns against the hand, which takes the scene along", async () => {
    const seen = await change(page, () => drag(page, 80, 0));
    looksDifferent(seen);
    const [before, now] = [heading(seen.before.pose), heading(seen.after.pose)];
    assert.ok(now[0] > before[0] + 0.02, `${before[0]} -> ${now[0]}: to the left`);
    near(now[1], before[1], 1e-6, "elevation");
  });

  it("looks to the right for the right arrow key", async () => {
    const before = heading(await camera(page));
    await page.keyboard.press("ArrowRight");
    await atRest(page);
    const now = heading(await camera(page));
    assert.ok(now[0] < before[0] - 0.05, `${before[0]} -> ${now[0]}: to the right`);
  });

  it("stands a little aside for a drag with Shift, no farther than the envelope lets it", async () => {
    await page.keyboard.down("Shift");
    const { after: aside } = await change(page, () => drag(page, 200, 0));
    await page.keyboard.up("Shift");
    const arm = [3, 7, 11].map((k, i) => aside.pose.T_norm_camera[k] - envelope.pivot[i]);
    const beside = [0, 4, 8].reduce((sum, k, i) => sum + aside.pose.T_norm_camera[k] * arm[i], 0);
    near(beside, -envelope.target_spread, 1e-4, "to the left");
  });

  it("is found again by the page's address", async () => {
    const before = await camera(page);
    const address = page.url();
    assert.match(address, /#view=/);
    const other = await browser.context.newPage();
    await other.goto(address);
    await ready(other);
    const again = await camera(other);
    before.T_norm_camera.forEach((x, i) => near(again.T_norm_camera[i], x, 2e-5, `number ${i}`));
    assert.ok((await visible(other)).width > 0);
    await other.close();
  });
});
