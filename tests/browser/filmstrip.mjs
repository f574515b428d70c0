/**
 * Screenshots of the page for its documentation: `node tests/browser/filmstrip.mjs FIRST SECOND`.
 *
 * FIRST and SECOND are bundles. Opens the built page with them, on WebAssembly, and writes all pictures on one
 * strip, docs/viewer.png.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const bundles = process.argv.slice(2, 4).map((folder) => path.resolve(folder));
if (bundles.length < 2) throw new Error("give two bundles: filmstrip.mjs FIRST SECOND");

const DESKTOP = { width: 960, height: 640 };
const PHONE = { width: 360, height: 640 };
const FIRST = "?scene=scenes/first/&rotate=off";
const SECOND = "?scene=scenes/second/&rotate=off";

/**
 * Each picture: its window, the page's address, what else has happened before it is taken.
 *
 * @type {Record<string, [any, string, ...((page) => Promise<void>)[]]>}
 */
const PICTURES = {
  desktop: [DESKTOP, FIRST],
  gallery: [DESKTOP, "", (page) => page.locator("#gallery img").last().waitFor()],
  about: [DESKTOP, SECOND, (page) => page.keyboard.press("i"), turn],
  depth: [DESKTOP, `${SECOND}#look=depth`],
  compare: [
    DESKTOP,
    `${SECOND}&compare=fp16`,
    (page) => page.locator(".side.second", { hasText: "MB" }).waitFor(),
    (page) => page.waitForTimeout(6000), // two models on one processor
  ],
  dark: [{ ...DESKTOP, colorScheme: "dark" }, FIRST, (page) => page.locator("#share").click()],
  phone: [{ ...PHONE, touch: true }, SECOND],
  menu: [{ ...PHONE, touch: true }, FIRST, (page) => page.locator("#more").tap()],
  error: [PHONE, "?scene=nowhere/"],
};

/** A hand has been there: no hint any more. */
async function turn(page) {
  await page.keyboard.press("ArrowRight");
  await page.waitForTimeout(3000);
}

const manifestOf = (bundle) => JSON.parse(readFileSync(path.join(bundle, "manifest.json"), "utf8"));
const scenes = bundles.map((bundle, k) => {
  const { name, poster, models, quality } = manifestOf(bundle);
  const folder = `scenes/${k === 0 ? "first" : "second"}/`;
  const megabytes = Math.min(...models.map(({ bytes }) => bytes)) / 1e6;
  const psnr = quality.student_psnr_truth;
  return { name, path: folder, poster: folder + poster, megabytes, psnr };
});

const scratch = mkdtempSync(path.join(os.tmpdir(), "pocketfield-filmstrip-"));
const out = path.join(scratch, "film");
writeFileSync(path.join(scratch, "index.json"), JSON.stringify({ schema: 1, scenes }));
const site = await serve([
  ["/scenes/first/", bundles[0]],
  ["/scenes/second/", bundles[1]],
  ["/scenes/", scratch],
  ["/film/", out],
  ["/", path.join(root, "web/viewer/dist")],
]);
mkdirSync(out, { recursive: true });
for (const [name, [window, query, ...steps]] of Object.entries(PICTURES))
  await take(name, window, query, steps);
await strip();
await site.close();
rmSync(scratch, { recursive: true });

async function take(name, { width, height, touch = false, colorScheme = "light" }, query, steps) {
  const options = { viewport: { width, height }, hasTouch: touch, isMobile: touch, colorScheme };
  const { context, close } = await launch("none", options);
  const page = await context.newPage();
  await page.goto(`${site.origin}/${query}`);
  await page.waitForFunction(
    () => window.pocketfield || document.querySelector("#message h2, #gallery a"),
  );
  await page.evaluate(() => window.pocketfield?.ready);
  for (const step of steps) await step(page);
  await page.waitForTimeout(800); // transitions, and the line of figures
  await page.screenshot({ path: path.join(out, `${name}.png`) });
  await close();
  console.log(name);
}

/** All of them, side by side: a page of its own, photographed. */
async function strip() {
  const { context, close } = await launch("none", { viewport: { width: 1400, height: 900 } });
  const page = await context.newPage();
  const heights = { desktop: 290, phone: 360 };
  const rows = [
    ["desktop", "about", "depth"],
    ["gallery", "compare", "dark"],
    ["phone", "menu", "error"],
  ];
  const html = rows.map((row, k) => {
    const images = row.map(
      (name) => `<img src="/film/${name}.png" height="${k < 2 ? heights.desktop : heights.phone}">`,
    );
    return `<div>${images.join("")}</div>`;
  });
  const style = `body { margin: 0; background: #d9d9de; width: max-content; padding: 8px }
    div { display: flex; justify-content: center } img { margin: 8px; border-radius: 8px; display: block }`;
  const strip = `<!doctype html><style>${style}</style><body>${html.join("")}</body>`;
  site.faults.set("/strip.html", (response) =>
    response.writeHead(200, { "Content-Type": "text/html" }).end(strip),
  );
  await page.goto(`${site.origin}/strip.html`);
  await page.evaluate(() => Promise.all(Array.from(document.images, (image) => image.decode())));
  const file = path.join(root, "docs/viewer.png");
  await page.locator("body").screenshot({ path: file });
  await close();
  console.log(`docs/viewer.png: ${(statSync(file).size / 1000).toFixed(0)} kB`);
}
