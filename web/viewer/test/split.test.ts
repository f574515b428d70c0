import { describe, expect, it } from "vitest";

import { contentsFrom, filesToRun } from "../src/runtime";
import { cameraNumbers, contentsOf, filesOf } from "../src/split";
import { stageTimes } from "../src/timing";
import { MANIFEST, SPLIT } from "./manifests";

const model = MANIFEST.models[0]!;

describe("files", () => {
  it("are taken in the order in which they are asked for", () => {
    const files = filesOf(SPLIT).map(({ file }) => new TextEncoder().encode(file));
    const contents = contentsOf(files);
    expect(contents.encode).toBe(SPLIT.encode.shader.file);
    expect(contents.shade).toBe(SPLIT.shade.shader.file);
    expect(contents.network).toEqual(new TextEncoder().encode(SPLIT.network.file));
    expect(contents.tables).toEqual(new TextEncoder().encode(SPLIT.tables.file));
  });

  it("are those of the form that runs, and no others", () => {
    expect(filesToRun(model, "graph", "webgpu")).toEqual([model]);
    expect(filesToRun(model, "graph", "wasm")).toEqual([model.sampled]);
    expect(filesToRun({ ...model, sampled: null }, "graph", "wasm")).toHaveLength(1);
    expect(filesToRun(model, "split", "webgpu")).toEqual(filesOf(SPLIT));
    const bytes = new Uint8Array([1]);
    expect(contentsFrom("graph", [model], [bytes])).toEqual({
      form: "graph",
      network: bytes,
      constants: null,
    });
  });
});

it("a camera is 20 numbers: the pose row by row, then the intrinsics", () => {
  const T_norm_camera = Array.from({ length: 16 }, (_, i) => i);
  const numbers = cameraNumbers({ T_norm_camera, intrinsics: [16, 17, 18, 19] });
  expect([...numbers]).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

describe("stageTimes", () => {
  const names = ["encode", "network", "shade"];
  const MS = 1_000_000n;

  it("gives a stage without timestamps what lies between its neighbours", () => {
    const clock = BigUint64Array.from([10n * MS, 12n * MS, 0n, 0n, 19n * MS, 20n * MS]);
    expect(stageTimes(names, clock)).toEqual({ encode: 2, network: 7, shade: 1 });
  });

  it("measures every stage that has them", () => {
    const clock = BigUint64Array.from([1n, 2n, 3n, 5n, 8n, 13n].map((t) => t * MS));
    expect(stageTimes(names, clock)).toEqual({ encode: 1, network: 2, shade: 5 });
  });
});
