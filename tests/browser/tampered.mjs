/** The page's worker with something done to it first: counted, or broken. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { DIST, PREFIX } from "./site.mjs";

/**
 * Workers of `site` run `prefix`, a function without free variables, before their own script. Until
 * `site.faults.clear()`.
 */
export function tamper(site, prefix, ...given) {
  const assets = path.join(DIST, "assets");
  const name = readdirSync(assets).find((file) => /^worker-.*\.js$/.test(file));
  const script = readFileSync(path.join(assets, name), "utf8");
  const body = `(${prefix})(...${JSON.stringify(given)});\n${script}`;
  site.faults.set(`${PREFIX}assets/${name}`, (response) =>
    response.writeHead(200, { "Content-Type": "text/javascript" }).end(body),
  );
}

/** Evaluate in the page's worker, the newest one. */
export const inWorker = (page, action) => page.workers().at(-1).evaluate(action);

/**
 * Counts and orders what the worker asks of WebGPU, in `self.seen`: read-backs, and "present", "wait",
 * "done" for each frame; `overlaps` counts submissions while a finished frame is waited for.
 */
export function watchWebGpu() {
  const seen = { readBacks: 0, overlaps: 0, order: [] };
  Object.assign(self, { seen });
  if (!("GPUBuffer" in self)) return;
  const wrap = (kind, name, around) => {
    const original = kind.prototype[name];
    kind.prototype[name] = function (...args) {
      return around(() => original.apply(this, args));
    };
  };
  let waiting = 0;
  wrap(GPUBuffer, "mapAsync", (call) => {
    seen.readBacks++;
    return call();
  });
  wrap(GPUQueue, "submit", (call) => {
    if (waiting > 0) seen.overlaps++;
    return call();
  });
  wrap(GPUCanvasContext, "getCurrentTexture", (call) => {
    seen.order.push("present");
    return call();
  });
  wrap(GPUQueue, "onSubmittedWorkDone", async (call) => {
    seen.order.push("wait");
    waiting++;
    await call();
    waiting--;
    seen.order.push("done");
  });
}

/**
 * The page's own shaders give green what is red's, a picture that looks plausible and is wrong; and
 * the adapter pretends to know half precision.
 */
export function miscolour() {
  const original = GPUDevice.prototype.createShaderModule;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    const code = descriptor.code.replace("planes[i + PIXELS]", "planes[i]");
    return original.call(this, { ...descriptor, code });
  };
  const { has } = GPUSupportedFeatures.prototype;
  GPUSupportedFeatures.prototype.has = function (name) {
    return name === "shader-f16" || has.call(this, name);
  };
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = function (descriptor) {
    const requiredFeatures = descriptor.requiredFeatures.filter((name) => name !== "shader-f16");
    return requestDevice.call(this, { ...descriptor, requiredFeatures });
  };
}

/** A device reports an error of this kind (a class of WebGPU) after `frames` frames, once. */
export function failAfter(kind, frames) {
  const original = GPUCanvasContext.prototype.getCurrentTexture;
  const configure = GPUCanvasContext.prototype.configure;
  let device = null;
  let drawn = 0;
  GPUCanvasContext.prototype.configure = function (options) {
    device = options.device;
    return configure.call(this, options);
  };
  GPUCanvasContext.prototype.getCurrentTexture = function () {
    if (++drawn === frames + 1) {
      const error = new /** @type {any} */ (self)[kind]("made by the test");
      device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
    }
    return original.call(this);
  };
}

/** The graphics card has no memory left for anything, as error scopes tell. */
export function noCardMemory() {
  GPUDevice.prototype.popErrorScope = async () => new GPUOutOfMemoryError("made by the test");
}

/** The processor has none left for WebAssembly. */
export function noMemory() {
  const none = function () {
    throw new RangeError("WebAssembly.Memory(): could not allocate memory");
  };
  Object.assign(WebAssembly, { Memory: none, instantiate: none, compile: none });
}
