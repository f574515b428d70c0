import { describe, expect, it } from "vitest";

import { askedPose, parseOptions } from "../src/options";
import { Trouble } from "../src/trouble";
import { MANIFEST } from "./manifests";

const parse = (query: string): ReturnType<typeof parseOptions> =>
  parseOptions(new URLSearchParams(query));

describe("parseOptions", () => {
  it("leaves the choice to the page where nothing is asked", () => {
    expect(parse("unknown=1")).toEqual({
      scene: null,
      backend: null,
      precision: null,
      form: null,
      pose: null,
      reference: null,
      path: null,
      rotate: null,
      compare: null,
      half: false,
      fps: null,
      threads: null,
      nocache: false,
      embed: false,
      bench: false,
      ui: true,
      verbose: false,
      timings: false,
    });
  });

  it("reads what is asked", () => {
    const options = parse(
      "scene=../fox&backend=wasm&precision=fp16&reference=2&ui=off&log=verbose&form=graph&timings=on",
    );
    expect(options).toMatchObject({ scene: "../fox", backend: "wasm", precision: "fp16" });
    expect(options).toMatchObject({ reference: 2, ui: false, verbose: true });
    expect(options).toMatchObject({ form: "graph", timings: true });
  });

  it("reads a camera of 20 numbers", () => {
    const numbers = Array.from({ length: 20 }, (_, i) => i / 8 - 1);
    const { pose } = parse(`pose=${numbers.join(",")}`);
    expect([...pose!.T_norm_camera, ...pose!.intrinsics]).toEqual(numbers);
  });

  it.each([
    "backend=gpu",
    "precision=int8",
    "ui=maybe",
    "log=loud",
    "form=whole",
    "timings=maybe",
    "reference=-1",
    "reference=1.5",
    "reference=",
  ])("refuses %s and says what it expects", (query) => {
    expect(() => parse(query)).toThrow(Trouble);
    expect(() => parse(query)).toThrow(new RegExp(`^\\?${query.split("=")[0]}=`));
  });

  it.each([
    "1,2,3",
    Array(20).fill("x").join(),
    Array(20).fill("").join(),
    Array(20).fill("1e999").join(),
  ])("refuses the camera %s", (pose) => {
    expect(() => parse(`pose=${pose}`)).toThrow(/20 finite numbers/);
  });
});

describe("askedPose", () => {
  it("is the reference camera, exactly", () => {
    expect(askedPose(parse("reference=0"), MANIFEST)).toBe(MANIFEST.references[0]!.camera);
  });

  it("refuses a reference that the scene has not got", () => {
    expect(() => askedPose(parse("reference=1"), MANIFEST)).toThrow(/a number below 1/);
  });

  it("is null where nothing is asked: the start", () => {
    expect(askedPose(parse(""), MANIFEST)).toBeNull();
  });
});
