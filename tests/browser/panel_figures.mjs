/**
 * What somebody waits for who looks at runs in the panel: `node tests/browser/panel_figures.mjs RUNS [SCREENSHOTS]`, from
 * localhost, each visit in a fresh profile. The newest run of the folder is the one looked at.
 *
 * Prints a Markdown table:
 *
 *     first paint     from the navigation's start until something is painted (its FCP entry); of a new server and later
 *     thumbnails      until the thumbnails of all views have their pictures
 *     panes           until all four panes have theirs
 *     free camera     from a key on a slider until all panes show the new camera: median and worst of STEPS
 *
 * SCREENSHOTS is a folder for a PNG of every tab.
 */
import path from "node:path";

import { launch } from "./browser.mjs";
import { row, startPanel } from "./panel.mjs";

const STEPS = 12;
const VIEWPORT = { width: 1440, height: 1000 };
const TABS = ["Compare", "Free camera", "Metrics", "Training", "Trade-off", "Sweeps", "Report"];
const [runs, screenshots] = process.argv.slice(2);

const server = await startPanel(path.resolve(runs), process.env);
const visits = [];
for (const name of ["a new server", "again"]) visits.push([name, await visit()]);
const turns = await turned();
if (screenshots !== undefined) await photograph();
await server.close();

const rows = visits.map(([name, times]) => [
  name,
  ...Object.values(times).map((time) => `${(time / 1000).toFixed(2)} s`),
]);
console.log("| | first paint | thumbnails | four panes |\n| --- | --- | --- | --- |");
for (const cells of rows) console.log(`| ${cells.join(" | ")} |`);
const [middle, worst] = [turns[Math.floor(turns.length / 2)], turns[turns.length - 1]];
console.log(
  `\nfree camera, four models, ${STEPS} steps of a slider: median ${middle} ms, worst ${worst} ms`,
);

async function opened() {
  const { context, close } = await launch("none", { viewport: VIEWPORT, colorScheme: "light" });
  const page = context.pages()[0] ?? (await context.newPage());
  return { page, close };
}

/** Milliseconds since the navigation began. */
async function visit() {
  const { page, close } = await opened();
  await page.goto(server.origin, { waitUntil: "commit" });
  const now = () => page.evaluate(() => performance.now());
  const views = page.getByRole("listbox", { name: "Views" }).locator("img");
  while (!(await painted(views))) await page.waitForTimeout(20);
  const thumbnails = await now();
  await (await row(page)).filled(4);
  const panes = await now();
  const paint = await page.evaluate(
    () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
  );
  await close();
  return { paint, thumbnails, panes };
}

/** Whether there are pictures, and all of them have arrived. */
function painted(pictures) {
  return pictures.evaluateAll(
    (/** @type {HTMLImageElement[]} */ found) =>
      found.length > 0 && found.every(({ naturalWidth }) => naturalWidth > 0),
  );
}

/** Milliseconds that a step of the camera takes until all panes show it, in order of size. */
async function turned() {
  const { page, close } = await opened();
  await page.goto(`${server.origin}/?tab=Free+camera`);
  const panes = await row(page);
  let seen = await panes.filled(4);
  const times = [];
  const azimuth = page.getByRole("slider", { name: "Azimuth" });
  for (let step = 0; step < STEPS + 1; step++) {
    const start = performance.now();
    await azimuth.press(step % 2 === 0 ? "PageUp" : "PageDown");
    const before = seen;
    seen = await panes.until(
      (now) => now.length === 4 && now.every(({ hash }, k) => hash !== before[k].hash),
      "the camera has not moved",
      20,
    );
    if (step > 0) times.push(Math.round(performance.now() - start)); // the first one warms up
    await page.waitForTimeout(500);
  }
  await close();
  return times.sort((a, b) => a - b);
}

async function photograph() {
  const { page, close } = await opened();
  await page.goto(server.origin);
  await (await row(page)).filled(4);
  for (const name of TABS) {
    await page.getByRole("tab", { name, exact: true }).click();
    await page.waitForTimeout(4000);
    await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
  }
  await close();
}
