/**
 * What the page adds to ONNX Runtime's own time: `node tests/browser/overhead.mjs BUNDLE [FRAMES [webgpu|wasm]]`, after
 * `npm run build`.
 *
 * Drags the picture of BUNDLE in a real browser until FRAMES frames (60 by default) are drawn on each backend, and
 * prints one JSON line for each:
 *
 *     parts       medians of the last 31 frames in the worker, in milliseconds (FrameTimes in protocol.ts)
 *     overhead    median of total - run - wait: all that is the page's own
 *     between     wall time for each frame while dragging, less total: also the browser's own share of drawing a canvas,
 *                 and waiting for the next animation frame where frames are faster than those
 *     messages    median of 20 questions to the idle worker and back
 *     longTasks   tasks above 50 ms on the page's own thread meanwhile, and the longest
 *     check       PSNR of the first picture against the exported one
 */
import path from "node:path";
import { fileURLToPath } from "node:url";

import { launch, watchLongTasks } from "./browser.mjs";
import { serve } from "./server.mjs";

const DIST = fileURLToPath(new URL("../../web/viewer/dist", import.meta.url));
const [bundle, frames = "60", only = ""] = process.argv.slice(2);
const site = await serve([
  ["/scene/", path.resolve(bundle)],
  ["/", DIST],
]);
for (const backend of ["wasm", "webgpu"].filter((name) => name.includes(only))) {
  console.log(JSON.stringify(await measured(backend, Number(frames))));
}
await site.close();

async function measured(backend, frames) {
  const { context, close } = await launch(backend === "webgpu" ? "software" : "none");
  const page = await context.newPage();
  await page.goto(`${site.origin}/?backend=${backend}&ui=off&rotate=off`);
  await page.waitForFunction(() => window.pocketfield || document.querySelector("#message h2"));
  await page.evaluate(() => window.pocketfield.ready);
  await watchLongTasks(page);
  const wall = await dragUntil(page, frames);
  const found = await page.evaluate(async () => {
    const { stats, depthAt } = window.pocketfield;
    const { parts, overhead, check, width, height, adapter } = stats();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const trips = [];
    for (let k = 0; k < 20; k++) {
      const began = performance.now();
      await depthAt(0.5, 0.5);
      trips.push(performance.now() - began);
    }
    const { tasks } = /** @type {any} */ (window);
    const messages = trips.sort((a, b) => a - b)[10];
    return { parts, overhead, check, width, height, adapter, messages, tasks };
  });
  await close();
  const { parts, overhead, tasks, messages, check, ...rest } = found;
  return {
    backend,
    ...rest,
    parts: rounded(parts),
    ...rounded({
      overhead,
      between: wall - parts.total,
      messages,
      check: check ?? NaN,
    }),
    longTasks: tasks.length,
    longest: Math.max(0, ...tasks),
  };
}

/** To and fro with the mouse, until that many frames more are drawn; milliseconds for each. */
async function dragUntil(page, frames) {
  const drawn = () => page.evaluate(() => window.pocketfield.stats().frames);
  const before = await drawn();
  const box = await page.locator("#picture").boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  const began = performance.now();
  let count = 0;
  for (let k = 0; count < frames; k++) {
    await page.mouse.move(x + 100 * Math.sin(k / 9), y + 20 * Math.sin(k / 13));
    await page.waitForTimeout(16);
    count = (await drawn()) - before;
  }
  const wall = (performance.now() - began) / count;
  await page.mouse.up();
  return wall;
}

function rounded(record) {
  const entries = Object.entries(record).map(([name, value]) => [
    name,
    Number(value.toPrecision(4)),
  ]);
  return Object.fromEntries(entries);
}
