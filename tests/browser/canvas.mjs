/**
 * What the page draws of a run's held-out views: `node tests/browser/canvas.mjs RUN [wasm|webgpu] [COUNT]`.
 *
 * Opens RUN/site in a real browser, has it draw COUNT test cameras (8 by default, 0 for all) and writes
 * RUN/canvas/<backend>/<name>.png (RGBA, straight alpha); `python -m export figure` puts them beside the rest.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";

const { PNG } = createRequire(new URL("../../web/viewer/package.json", import.meta.url))("pngjs");
const [run, backend = "wasm", count = "8"] = process.argv.slice(2);
const scene = JSON.parse(readFileSync(path.join(run, "teacher/scene.json"), "utf8"));
const every = Number(count) ? Math.ceil(scene.cameras.test.length / Number(count)) : 1;
const cameras = scene.cameras.test.filter((_, k) => k % every === 0);
const folder = path.join(run, "canvas", backend);

const site = await serve([["/", path.resolve(run, "site")]]);
const { context, close } = await launch(backend === "webgpu" ? "software" : "none");
const page = await context.newPage();
await page.goto(`${site.origin}/?backend=${backend}&rotate=off`);
await page.waitForFunction(() => window.pocketfield || document.querySelector("#message h2"));
await page.evaluate(() => window.pocketfield.ready);
mkdirSync(folder, { recursive: true });
for (const camera of cameras) {
  const drawn = await page.evaluate(async (pose) => {
    const { width, height, rgba } = await window.pocketfield.frame(pose);
    return { width, height, rgba: Array.from(rgba) };
  }, poseOf(camera));
  const png = new PNG({ width: drawn.width, height: drawn.height });
  png.data.set(straightAlpha(drawn.rgba));
  writeFileSync(path.join(folder, `${path.basename(camera.name)}.png`), PNG.sync.write(png));
}
const { adapter, milliseconds } = await page.evaluate(() => window.pocketfield.stats());
console.log(
  `${folder}: ${cameras.length} views on ${backend} (${adapter ?? "no adapter"}), ${milliseconds.toFixed(0)} ms each`,
);
await close();
await site.close();

/** A camera of scene.json as the page takes it. */
function poseOf({ T_norm_camera, focal, centre, size: [width, height] }) {
  const intrinsics = [focal[0] / width, focal[1] / height, centre[0] / width, centre[1] / height];
  return { T_norm_camera: T_norm_camera.flat(), intrinsics };
}

function straightAlpha(rgba) {
  return rgba.map((value, k) => {
    const alpha = rgba[k - (k % 4) + 3];
    return k % 4 === 3 || alpha === 0 ? value : Math.min(255, Math.round((value * 255) / alpha));
  });
}
