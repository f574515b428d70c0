import { describe, expect, it } from "vitest";

import {
  type AdapterFacts,
  type Backend,
  type Form,
  chooseBackend,
  chooseForm,
  chooseModel,
  fits,
  largestBuffer,
  plan,
  type Precision,
  type Request,
  runnable,
  smallerThan,
} from "../src/device";
import type { ModelFile } from "../src/manifest";
import { SPLIT } from "./manifests";
import { Trouble } from "../src/trouble";

const CARD: AdapterFacts = {
  name: "a card",
  software: false,
  halfPrecision: true,
  largestBuffer: 2 ** 27,
  largestSide: 8192,
};
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

describe("largestBuffer", () => {
  const whole = { ...model("fp32"), width: 800, height: 600 };

  it("is a whole graph's picture in floats", () => {
    expect(largestBuffer(whole)).toBe(4 * 4 * 800 * 600);
  });

  it("may be a split form's result in between, in the model's precision, or a table", () => {
    const split = { ...SPLIT, ends: [1, 200, 200, 512] as const }; // encoded: 8 x 16 x 20
    expect(largestBuffer({ ...whole, split })).toBe(4 * 200 * 200 * 512);
    const half = { ...whole, precision: "fp16" as const, split };
    expect(largestBuffer(half)).toBe(2 * 200 * 200 * 512);
    const part = { kind: "storage", offset: 0, bytes: 10 ** 8 } as const;
    const shade = { ...SPLIT.shade, parts: [part] };
    expect(largestBuffer({ ...whole, split: { ...split, shade } })).toBe(10 ** 8);
  });

  it("decides, with the sides, whether an adapter has room", () => {
    const bytes = 16 * 800 * 600;
    expect(fits(whole, { ...CARD, largestBuffer: bytes })).toBe(true);
    expect(fits(whole, { ...CARD, largestBuffer: bytes - 1 })).toBe(false);
    expect(fits(whole, { ...CARD, largestSide: 799 })).toBe(false);
  });
});

describe("smallerThan", () => {
  const base = { ...model("fp32"), width: 10, height: 10, bytes: 100, parameters: 25 };

  it.each([
    ["fewer pixels, larger weights", { width: 9, bytes: 900 }, "webgpu", true],
    ["more pixels, smaller weights", { width: 11, bytes: 9 }, "webgpu", false],
    ["half the bytes on a graphics card", { bytes: 50 }, "webgpu", true],
    ["half the bytes on the processor, which widens them", { bytes: 50 }, "wasm", false],
    ["fewer weights on the processor", { parameters: 24 }, "wasm", true],
    ["the same", {}, "webgpu", false],
  ] as [string, Partial<ModelFile>, Backend, boolean][])("%s", (_, changes, backend, expected) => {
    expect(smallerThan(base, { ...base, ...changes }, backend)).toBe(expected);
  });
});

describe("runnable", () => {
  it.each([
    ["webgpu", CARD, ["fp16", "fp32"]],
    ["webgpu", OLD_CARD, ["fp32"]],
    ["webgpu", { ...CARD, largestBuffer: 1 }, []],
    ["webgpu", null, []],
    ["wasm", null, ["fp32"]],
  ] as [Backend, AdapterFacts | null, Precision[]][])("%s on %j: %j", (backend, on, expected) => {
    expect(runnable(BOTH, backend, on).map(({ precision }) => precision)).toEqual(expected);
  });
});

describe("plan", () => {
  const ANY: Request = { backend: null, precision: null, form: null, model: null };
  const [half, single] = BOTH as [ModelFile, ModelFile];
  const tight: AdapterFacts = { ...CARD, largestBuffer: 1 };

  it.each([
    ["the best on a card", BOTH, CARD, ANY, "webgpu", half],
    ["the best without one", BOTH, null, ANY, "wasm", single],
    [
      "one file that an earlier failure led to",
      BOTH,
      CARD,
      { model: "fp32.onnx" },
      "webgpu",
      single,
    ],
    ["the processor where a card has no room", BOTH, tight, {}, "wasm", single],
    ["the processor where a card lacks the precision", [half], OLD_CARD, {}, "wasm", half],
  ] as [string, ModelFile[], AdapterFacts | null, Partial<Request>, Backend, ModelFile][])(
    "takes %s",
    (_, models, adapter, asked, backend, expected) => {
      const found = plan(models, adapter, { ...ANY, ...asked });
      expect(found).toEqual({ backend, model: expected, form: "graph" });
    },
  );

  it("says so where the address insists on a card that has no room", () => {
    expect(() => plan(BOTH, tight, { ...ANY, backend: "webgpu" })).toThrow(Trouble);
  });
});
