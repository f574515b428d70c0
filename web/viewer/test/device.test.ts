import { describe, expect, it } from "vitest";

import {
  type AdapterFacts,
  type Backend,
  type Form,
  chooseBackend,
  chooseForm,
  chooseModel,
  plan,
  type Precision,
} from "../src/device";
import type { ModelFile } from "../src/manifest";
import { SPLIT } from "./manifests";
import { Trouble } from "../src/trouble";

const CARD: AdapterFacts = { name: "a card", software: false, halfPrecision: true };
const OLD_CARD: AdapterFacts = { ...CARD, halfPrecision: false };
const SOFTWARE: AdapterFacts = { ...CARD, software: true, halfPrecision: false };

const model = (precision: Precision): ModelFile => ({
  file: `${precision}.onnx`,
  bytes: 1,
  sha256: "",
  precision,
  width: 1,
  height: 1,
  student: "",
  parameters: 1,
  gflop: 1,
  psnr: 99,
  sampled: null,
  reduced: null,
  split: null,
});
const BOTH = [model("fp16"), model("fp32")];

describe("chooseBackend", () => {
  it.each([
    [CARD, null, "webgpu"],
    [CARD, "wasm", "wasm"],
    [CARD, "webgpu", "webgpu"],
    [SOFTWARE, null, "wasm"],
    [SOFTWARE, "wasm", "wasm"],
    [SOFTWARE, "webgpu", "webgpu"],
    [null, null, "wasm"],
    [null, "wasm", "wasm"],
    [null, "webgpu", "wasm"], // nothing to run it on: the page shows the picture all the same
  ] as [AdapterFacts | null, Backend | null, Backend][])(
    "%j, asked for %s -> %s",
    (adapter, asked, expected) => {
      expect(chooseBackend(adapter, asked)).toBe(expected);
    },
  );
});

describe("chooseModel", () => {
  it.each([
    ["webgpu", CARD, null, "fp16"], // the best first
    ["webgpu", OLD_CARD, null, "fp32"], // ONNX Runtime refuses f16 shaders without shader-f16
    ["webgpu", CARD, "fp32", "fp32"],
    ["wasm", CARD, null, "fp32"], // no half precision on the processor
    ["wasm", null, null, "fp32"],
    ["wasm", null, "fp16", "fp16"],
  ] as [Backend, AdapterFacts | null, Precision | null, Precision][])(
    "%s on %j, asked for %s -> %s",
    (backend, adapter, asked, expected) => {
      expect(chooseModel(BOTH, backend, adapter, asked).precision).toBe(expected);
    },
  );

  it("takes a half-precision file to the processor where it is all there is", () => {
    expect(chooseModel([model("fp16")], "wasm", null, null).precision).toBe("fp16");
  });

  it("says so where nothing fits", () => {
    expect(() => chooseModel([model("fp16")], "webgpu", OLD_CARD, null)).toThrow(Trouble);
    expect(() => chooseModel(BOTH, "webgpu", OLD_CARD, "fp16")).toThrow(/fp16/);
  });
});

describe("chooseForm", () => {
  const whole = model("fp32");
  const both = { ...whole, split: SPLIT };

  it.each([
    [both, "webgpu", null, "split"],
    [both, "webgpu", "graph", "graph"],
    [both, "webgpu", "split", "split"],
    [both, "wasm", null, "graph"], // there are no shaders on the processor
    [both, "wasm", "split", "graph"],
    [whole, "webgpu", null, "graph"],
    [whole, "wasm", "split", "graph"],
  ] as [ModelFile, Backend, Form | null, Form][])(
    "%#: on %s, asked for %s",
    (it, on, asked, form) => {
      expect(chooseForm(it, on, asked)).toBe(form);
    },
  );

  it("says so where the model has no split form", () => {
    expect(() => chooseForm(whole, "webgpu", "split")).toThrow(/fp32\.onnx has no split form/);
  });
});

it("plan puts the three together", () => {
  expect(plan(BOTH, CARD, { backend: null, precision: null, form: null })).toEqual({
    backend: "webgpu",
    model: BOTH[0],
    form: "graph",
  });
  expect(plan(BOTH, null, { backend: null, precision: null, form: null })).toEqual({
    backend: "wasm",
    model: BOTH[1],
    form: "graph",
  });
});
