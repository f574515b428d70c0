import { expect, it } from "vitest";

import { type Failure, recover } from "../src/recovery";

const LOST: Failure = { phase: "run", backend: "webgpu", restarts: 0, healthySeconds: 5 };

it.each([
  ["a lost device is tried again on WebGPU", LOST, { wasmOnly: false, restarts: 1 }],
  ["lost again soon: WebAssembly", { ...LOST, restarts: 1 }, { wasmOnly: true, restarts: 0 }],
  [
    "lost again after a long while: WebGPU",
    { ...LOST, restarts: 1, healthySeconds: 3600 },
    { wasmOnly: false },
  ],
  ["no start on WebGPU: WebAssembly at once", { ...LOST, phase: "start" }, { wasmOnly: true }],
  [
    "a run that fails on WebAssembly: once more",
    { ...LOST, backend: "wasm" },
    { wasmOnly: true, restarts: 1 },
  ],
] as [string, Failure, object][])("%s", (_, failure, expected) => {
  expect(recover(failure)).toMatchObject({ kind: "restart", ...expected });
});

it.each([
  ["a bundle that cannot be used", { ...LOST, phase: "load" }],
  ["a worker that never came to life", { ...LOST, backend: null }],
  ["no start on WebAssembly", { ...LOST, phase: "start", backend: "wasm" }],
  ["WebAssembly failed twice", { ...LOST, backend: "wasm", restarts: 1 }],
] as [string, Failure][])("gives up on %s", (_, failure) => {
  expect(recover(failure)).toEqual({ kind: "give up" });
});

it("always comes to an end", () => {
  let failure: Failure = LOST;
  for (let k = 0; k < 5; k++) {
    const step = recover(failure);
    if (step.kind === "give up") return;
    failure = { ...failure, restarts: step.restarts, backend: step.wasmOnly ? "wasm" : "webgpu" };
  }
  throw new Error("restarts for ever");
});
