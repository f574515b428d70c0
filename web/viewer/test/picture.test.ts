import { describe, expect, it } from "vitest";

import { progressText, infoText } from "../src/hud";
import { premultiply, straighten } from "../src/present_2d";
import { luminance } from "../src/backdrop";
import { surfaceSize } from "../src/stage";
import type { FrameTimes } from "../src/protocol";
import { Stats } from "../src/stats";
import { MANIFEST } from "./manifests";

describe("straighten", () => {
  it("divides by alpha, clamps, and turns planes into pixels", () => {
    const planes = Float32Array.from([0.5, 0, 0.25, 0, 0, 2, 0, 0, -1, 1, 0.5, 0]);
    const bytes = new Uint8ClampedArray(12);
    straighten(planes, bytes);
    //      pixel 0: rgb (.5, 0, 0) / 1       pixel 1: (0, 0, -1) / .5      pixel 2: transparent
    expect([...bytes]).toEqual([128, 0, 0, 255, 0, 0, 0, 128, 0, 0, 0, 0]);
  });

  it("is undone by premultiply, to one step of a byte", () => {
    const pixels = 256;
    const planes = new Float32Array(4 * pixels);
    for (let i = 0; i < pixels; i++) {
      const alpha = i / 255;
      [0.2, 0.9, 0.6, 1].forEach((value, c) => (planes[c * pixels + i] = value * alpha));
    }
    const bytes = new Uint8ClampedArray(4 * pixels);
    straighten(planes, bytes);
    premultiply(bytes).forEach((value, i) => {
      const expected = 255 * planes[(i % 4) * pixels + Math.floor(i / 4)]!;
      expect(Math.abs(value - expected)).toBeLessThanOrEqual(1);
    });
  });
});

describe("surfaceSize", () => {
  const model = { width: 400, height: 200 };

  it("is the screen's own resolution", () => {
    expect(surfaceSize({ width: 1200, height: 600 }, model)).toEqual({ width: 1200, height: 600 });
  });

  it("is never smaller than the picture, nor larger than a texture may be", () => {
    expect(surfaceSize({ width: 100, height: 50 }, model)).toEqual(model);
    expect(surfaceSize({ width: 0, height: 0 }, model)).toEqual(model);
    expect(surfaceSize({ width: 20000, height: 10000 }, model)).toEqual(model);
  });
});

it("luminance is WCAG's", () => {
  expect(luminance([1, 1, 1])).toBeCloseTo(1, 12);
  expect(luminance([0, 0, 0])).toBe(0);
  expect(luminance([0.5, 0.5, 0.5])).toBeCloseTo(0.214, 4); // sRGB's own mid grey
});

/** Of a frame of `total` milliseconds, of which `run` were ONNX Runtime's. */
const cost = (total: number, run = total): FrameTimes => ({
  run,
  submit: 0,
  present: total - run,
  wait: 0,
  total,
});

describe("figures", () => {
  it("are medians of each part, over the last frames", () => {
    const stats = new Stats();
    expect(stats.report().parts).toBeNull();
    for (let k = 0; k < 31; k++) stats.drawn(k, cost(500, 400)); // forgotten by then
    for (let k = 0; k < 31; k++) stats.drawn(k, cost(10 + k, k % 2 === 0 ? 4 : 6));
    expect(stats.report().parts).toEqual({ run: 4, submit: 0, present: 20, wait: 0, total: 25 });
  });

  it("count frames over the last second of drawing only", () => {
    const stats = new Stats();
    expect(infoText(stats.report())).toBe("");
    stats.started({
      backend: "webgpu",
      model: MANIFEST.models[0]!,
      form: "split",
      adapter: "a card",
      check: 57.5,
    });
    for (const now of [0, 5000, 5020, 5040, 5060]) stats.drawn(now, cost(8.25));
    expect(stats.report()).toMatchObject({ frames: 5, fps: 50, milliseconds: 8.25, check: 57.5 });
    expect(infoText(stats.report())).toBe("WebGPU · 64 × 32 · fp32 · 8.3 ms · 50 fps");
  });

  it("show no rate for a single frame", () => {
    const stats = new Stats();
    const model = MANIFEST.models[0]!;
    stats.started({ backend: "wasm", model, form: "graph", adapter: null, check: null });
    stats.drawn(0, cost(2042.3));
    expect(infoText(stats.report())).toBe("WebAssembly · 64 × 32 · fp32 · 2042 ms");
  });

  it("name progress in megabytes", () => {
    expect(progressText(12_340_000, 34_560_000)).toBe("12.3 of 34.6 MB · 35 %");
  });
});
