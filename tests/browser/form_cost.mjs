/**
 * What a frame costs in each form: `node tests/browser/form_cost.mjs BUNDLE [FRAMES [webgpu|wasm]]`, after `npm run
 * build`.
 *
 * Opens the built page on BUNDLE in a real browser (SwiftShader plays the graphics card) in both forms on WebGPU and on
 * WebAssembly, counts what the page's worker asks of WebGPU, and prints one JSON line for each:
 *
 *     ms        median of FRAMES frames (5 by default) after the first, from the camera to the picture
 *     stages    the same of each stage by the card's own clock, where the form has stages
 *     dispatches, draws     per frame, ONNX Runtime's and the page's
 *     bufferMB, largestMB   of all buffers that are alive after the last frame; the largest one ever made
 *     downloadMB            of the model's files
 *     nodesOnCpu            lines of ONNX Runtime's log that place nodes elsewhere than on WebGPU
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";

const DIST = fileURLToPath(new URL("../../web/viewer/dist", import.meta.url));
const CASES = [
  ["webgpu", "graph"],
  ["webgpu", "split"],
  ["wasm", "graph"],
];

/** Runs in the worker before anything else: counts calls of WebGPU in `self.asked`. */
function count() {
  const asked = { dispatches: 0, draws: 0, bytes: 0, largest: 0 };
  const globals = /** @type {any} */ (self);
  globals.asked = asked;
  if (!("GPUDevice" in self)) return;
  const wrap = (kind, name, before) => {
    const original = kind.prototype[name];
    kind.prototype[name] = function (...given) {
      before.call(this, ...given);
      return original.apply(this, given);
    };
  };
  wrap(GPUComputePassEncoder, "dispatchWorkgroups", () => asked.dispatches++);
  wrap(GPUComputePassEncoder, "dispatchWorkgroupsIndirect", () => asked.dispatches++);
  wrap(GPURenderPassEncoder, "draw", () => asked.draws++);
  wrap(GPUDevice, "createBuffer", (descriptor) => {
    asked.bytes += descriptor.size;
    asked.largest = Math.max(asked.largest, descriptor.size);
  });
  const destroyed = new WeakSet();
  wrap(GPUBuffer, "destroy", function () {
    if (!destroyed.has(this)) asked.bytes -= this.size;
    destroyed.add(this);
  });
}

const [bundle, frames = "5", only = ""] = process.argv.slice(2);
const site = await serve([
  ["/scene/", path.resolve(bundle)],
  ["/", DIST],
]);
for (const [backend, form] of CASES.filter(([backend]) => backend.includes(only))) {
  console.log(JSON.stringify(await measured(backend, form, Number(frames))));
}
await site.close();

async function measured(backend, form, frames) {
  const { context, close } = await launch(backend === "webgpu" ? "software" : "none");
  const elsewhere = new Set();
  context.on("console", (message) => {
    const line = message.text();
    if (/placed on \[/.test(line) && !/All nodes placed on \[WebGpu/.test(line))
      elsewhere.add(line);
  });
  await context.route("**/assets/worker*.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `(${count})();\n${await response.text()}` });
  });
  const page = await context.newPage();
  await page.goto(
    `${site.origin}/?backend=${backend}&form=${form}&timings=on&log=verbose&ui=off&rotate=off`,
  );
  await page.waitForFunction(() => window.pocketfield || document.querySelector("#message h2"));
  await page.evaluate(() => window.pocketfield.ready);
  const [worker] = page.workers();
  const asked = () => worker.evaluate(() => ({ .../** @type {any} */ (self).asked }));
  const rows = [];
  for (let k = 0; k < frames; k++) {
    const before = await asked();
    const stats = await page.evaluate(async (k) => {
      const { references } = window.pocketfield.manifest;
      await window.pocketfield.frame(references[k % references.length].camera);
      return window.pocketfield.stats();
    }, k);
    const after = await asked();
    const dispatches = after.dispatches - before.dispatches;
    rows.push({ ...stats, dispatches, draws: after.draws - before.draws });
  }
  const { bytes, largest } = await asked();
  await close();
  return {
    backend: rows[0].backend,
    form: rows[0].form,
    size: `${rows[0].width}x${rows[0].height}`,
    ms: median(rows.map(({ milliseconds }) => milliseconds)),
    stages: rows[0].stages && medians(rows.map(({ stages }) => stages)),
    dispatches: median(rows.map(({ dispatches }) => dispatches)),
    draws: median(rows.map(({ draws }) => draws)),
    bufferMB: rounded(bytes / 1e6),
    largestMB: rounded(largest / 1e6),
    downloadMB: rounded(downloaded(rows[0]) / 1e6),
    nodesOnCpu: backend === "webgpu" ? elsewhere.size : null,
  };
}

function downloaded({ backend, precision, form }) {
  const { models } = JSON.parse(readFileSync(path.join(bundle, "manifest.json"), "utf8"));
  const model = models.find((model) => model.precision === precision);
  if (form === "graph") return (backend === "wasm" ? (model.sampled ?? model) : model).bytes;
  const { encode, network, shade, tables } = model.split;
  return [encode.shader, network, shade.shader, tables].reduce((sum, { bytes }) => sum + bytes, 0);
}

function medians(records) {
  const names = Object.keys(records[0]);
  return Object.fromEntries(names.map((name) => [name, median(records.map((it) => it[name]))]));
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return rounded(sorted[Math.floor(sorted.length / 2)]);
}

function rounded(value) {
  return Number(value.toPrecision(4));
}
