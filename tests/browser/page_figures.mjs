/**
 * What a visitor of a site waits for, and how fast it then draws:
 * `node tests/browser/page_figures.mjs SITE [webgpu|wasm]`, from localhost, each time in a fresh profile.
 *
 * Prints a Markdown table:
 *
 *     poster        from the navigation's start until the poster is painted (its LCP entry)
 *     first frame   until the first live frame is on the canvas; `again`: on the second visit, with the network gone
 *     requests      how many on the first visit, how many of them to other origins, and what came over the wire
 *     frames/s      `?bench`: one after the other, every one another camera; ms of a frame and of its parts, medians
 *     long tasks    above 50 ms on the page's own thread while the bench runs
 */
import path from "node:path";

import { launch, watchLongTasks } from "./browser.mjs";
import { serve } from "./server.mjs";

const [folder, only = ""] = process.argv.slice(2);
const site = await serve([["/", path.resolve(folder)]]);
const columns = [];
for (const backend of ["wasm", "webgpu"].filter((name) => name.includes(only))) {
  columns.push([backend, await figures(backend)]);
}
await site.close();

const names = Object.keys(columns[0][1]);
console.log(`| ${["", ...columns.map(([backend]) => backend)].join(" | ")} |`);
console.log(`| --- |${columns.map(() => " --- |").join("")}`);
for (const name of names) {
  console.log(`| ${[name, ...columns.map(([, column]) => column[name])].join(" | ")} |`);
}

async function figures(backend) {
  const { context, close } = await launch(backend === "webgpu" ? "software" : "none");
  const [requests, bytes] = [[], []];
  context.on("request", (request) => requests.push(request.url()));
  context.on("response", (response) =>
    bytes.push(Number(response.headers()["content-length"] ?? 0)),
  );
  const first = await visit(context, `?backend=${backend}&rotate=off`);
  const [asked, transferred] = [[...requests], bytes.reduce((a, b) => a + b, 0)];
  await first.page.evaluate(() => navigator.serviceWorker.ready);
  await first.page.waitForTimeout(1000); // what is kept is written beside the drawing
  await first.page.close();
  await context.setOffline(true);
  const again = await visit(context, `?backend=${backend}&rotate=off`);
  await again.page.close();
  await context.setOffline(false);
  const { page } = await visit(context, `?backend=${backend}&bench`, true);
  const report = await page.evaluate(() => window.pocketfield.bench());
  const tasks = await page.evaluate(() => /** @type {any} */ (window).tasks);
  await close();
  const { run, submit, present, total } = report.milliseconds;
  const foreign = asked.filter((url) => !url.startsWith(site.origin) && !url.startsWith("blob:"));
  const ms = (value) => `${value.toFixed(1)} ms`;
  return {
    model: `${report.student}, ${report.precision}, ${report.form}, ${report.width} × ${report.height}`,
    poster: `${(first.poster / 1000).toFixed(2)} s`,
    "first frame": `${(first.frame / 1000).toFixed(2)} s`,
    "first frame, again, offline": `${(again.frame / 1000).toFixed(2)} s`,
    requests: `${asked.length}, ${foreign.length} elsewhere, ${(transferred / 1e6).toFixed(2)} MB`,
    "frames/s": report.fps.toFixed(1),
    "frame (median, 95 %)": `${ms(total.median)}, ${ms(total.p95)}`,
    "ONNX Runtime's run": ms(run.median),
    "encode and submit": ms(submit.median),
    present: ms(present.median),
    "long tasks": `${tasks.length}, the longest ${Math.max(0, ...tasks).toFixed(0)} ms`,
    "canvas against torch, worst": `${Math.min(...report.psnr).toFixed(1)} dB`,
  };
}

/** Open the page; when its poster and its first frame were there, in milliseconds. */
async function visit(context, query, watchTasks = false) {
  const page = await context.newPage();
  await page.addInitScript(() => {
    const painted = [];
    new PerformanceObserver((list) => painted.push(...list.getEntries())).observe({
      type: "largest-contentful-paint",
      buffered: true,
    });
    Object.assign(window, { painted });
  });
  await page.goto(`${site.origin}/${query}`);
  await page.waitForFunction(() => window.pocketfield || document.querySelector("#error h2"));
  const frame = await page.evaluate(async () => {
    await window.pocketfield.ready;
    return performance.now();
  });
  if (watchTasks) {
    await watchLongTasks(page);
  }
  const poster = await page.evaluate(() => {
    const entries = /** @type {any} */ (window).painted;
    return entries.find(({ element }) => element?.id === "poster")?.startTime ?? NaN;
  });
  return { page, frame, poster };
}
