import { expect, it } from "vitest";

import type { ModelFile } from "../src/manifest";
import { ANYTHING, type Failure, recover } from "../src/recovery";
import { MANIFEST } from "./manifests";

const SINGLE: ModelFile = { ...MANIFEST.models[0]!, file: "single.onnx", bytes: 400 };
const HALF: ModelFile = { ...SINGLE, file: "half.onnx", precision: "fp16", bytes: 200 };
const SMALL: ModelFile = { ...SINGLE, file: "small.onnx", width: 32, height: 16 };
const PROCESSOR = { wasmOnly: true, model: null };

const LOST: Failure = {
  phase: "run",
  cause: "other",
  text: "It happened.",
  backend: "webgpu",
  model: HALF,
  models: [HALF, SINGLE],
  ruled: ANYTHING,
  restarts: 0,
  healthySeconds: 5,
};
const WRONG: Failure = { ...LOST, phase: "start", cause: "wrong" };
const FULL: Failure = { ...LOST, cause: "memory" };
const ON_WASM: Partial<Failure> = { backend: "wasm", model: SINGLE, models: [SINGLE] };

it.each([
  ["a lost device is tried again as it was", LOST, ANYTHING, 1],
  [
    "as it was, also where it was not the first choice",
    { ...LOST, ruled: { wasmOnly: false, model: "single.onnx" } },
    { wasmOnly: false, model: "single.onnx" },
    1,
  ],
  ["lost again soon: WebAssembly", { ...LOST, restarts: 1 }, PROCESSOR, 0],
  [
    "lost again after a long while: as it was",
    { ...LOST, restarts: 1, healthySeconds: 3600 },
    ANYTHING,
    1,
  ],
  ["no start on WebGPU: WebAssembly at once", { ...LOST, phase: "start" }, PROCESSOR, 0],
  [
    "a run that fails on WebAssembly: once more",
    { ...LOST, ...ON_WASM, ruled: PROCESSOR },
    PROCESSOR,
    1,
  ],
  ["wrong in half precision: single", WRONG, { wasmOnly: false, model: "single.onnx" }, 0],
  ["wrong in single precision: WebAssembly", { ...WRONG, model: SINGLE }, PROCESSOR, 0],
  ["wrong, and no single precision: WebAssembly", { ...WRONG, models: [HALF] }, PROCESSOR, 0],
  [
    "too little memory: a smaller model",
    { ...FULL, models: [HALF, SINGLE, SMALL] },
    { wasmOnly: false, model: "small.onnx" },
    0,
  ],
  [
    "too little for single precision: half, which is smaller",
    { ...FULL, model: SINGLE },
    { wasmOnly: false, model: "half.onnx" },
    0,
  ],
  ["too little, and nothing smaller: WebAssembly", FULL, PROCESSOR, 0],
  ["too little already for the download", { ...FULL, phase: "load" }, PROCESSOR, 0],
  [
    "too little on WebAssembly: a smaller model there",
    { ...FULL, ...ON_WASM, models: [SINGLE, SMALL], ruled: PROCESSOR },
    { wasmOnly: true, model: "small.onnx" },
    0,
  ],
] as [string, Failure, object, number][])("%s", (_, failure, ruled, restarts) => {
  expect(recover(failure)).toMatchObject({ kind: "restart", ruled, restarts });
});

it("tells the visitor what is wrong, and what comes next", () => {
  const notes = [WRONG, { ...WRONG, model: SINGLE }].map((failure) => {
    const step = recover(failure);
    return step.kind === "restart" ? step.note : "";
  });
  expect(notes[0]).toBe("It happened. Single precision is tried instead.");
  expect(notes[1]).toBe("It happened. The processor draws instead, more slowly.");
});

it.each([
  ["a bundle that cannot be used", { ...LOST, phase: "load" }],
  ["a worker that never came to life", { ...LOST, backend: null, model: null }],
  ["no start on WebAssembly", { ...LOST, ...ON_WASM, phase: "start" }],
  ["WebAssembly failed twice", { ...LOST, ...ON_WASM, restarts: 1 }],
  ["too little memory, and nothing smaller on WebAssembly", { ...FULL, ...ON_WASM }],
] as [string, Failure][])("gives up on %s", (_, failure) => {
  expect(recover(failure)).toEqual({ kind: "give up" });
});

it("always comes to an end, whatever happens next", () => {
  const models = [HALF, SINGLE, SMALL];
  for (const causes of [["other"], ["wrong"], ["memory"], ["other", "memory", "wrong"]] as const) {
    let failure: Failure = { ...LOST, models };
    for (let k = 0; k < 12; k++) {
      const step = recover({ ...failure, cause: causes[k % causes.length]! });
      if (step.kind === "give up") break;
      expect(k).toBeLessThan(10);
      const { ruled, restarts } = step;
      const backend = ruled.wasmOnly ? "wasm" : "webgpu";
      const model = models.find(({ file }) => file === ruled.model) ?? failure.model;
      failure = { ...failure, ruled, restarts, backend, model: ruled.wasmOnly ? SMALL : model };
    }
  }
});
