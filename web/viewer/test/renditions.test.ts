import { describe, expect, it } from "vitest";

import type { ModelFile } from "../src/manifest";
import { allSizes, graphFiles, halfSizes, type Model, reducedOf } from "../src/models";
import type { Renderer } from "../src/renderer";
import { Renditions } from "../src/renditions";
import { contentsFrom } from "../src/runtime";
import { START } from "./envelope";
import { MANIFEST } from "./manifests";

const file = (name: string) => ({ file: name, bytes: 10, sha256: "00".repeat(32) });
const whole: ModelFile = {
  ...MANIFEST.models[0]!,
  width: 64,
  height: 32,
  reduced: {
    width: 32,
    height: 16,
    gflop: 0.025,
    file: file("student.fp32.reduced.onnx"),
    split: null,
    psnr: 79,
  },
};

describe("a model at half its size", () => {
  const reduced = reducedOf(whole)!;

  it("is a model with the weights of the whole one", () => {
    expect([reduced.width, reduced.height, reduced.psnr]).toEqual([32, 16, 79]);
    expect([reduced.precision, reduced.parameters]).toEqual([whole.precision, whole.parameters]);
    expect(reducedOf(reduced)).toBeNull();
  });

  it("takes its constants from the whole one's own graph", () => {
    const names = (model: Model, wasm: boolean) => graphFiles(model, wasm).map((it) => it.file);
    expect(names(reduced, false)).toEqual(["student.fp32.reduced.onnx", whole.file]);
    expect(names(reduced, true)).toEqual(["student.fp32.reduced.onnx", whole.file]);
    expect(names(whole, false)).toEqual([whole.file]);
    expect(names(whole, true)).toEqual([whole.sampled!.file]);
    const [graph, data] = [new Uint8Array([1]), new Uint8Array([2])];
    expect(contentsFrom("graph", graphFiles(reduced, false), [graph, data])).toEqual({
      form: "graph",
      network: graph,
      constants: { path: whole.file, data },
    });
  });

  it("is tried after all whole ones", () => {
    const other = { ...whole, file: "b.onnx", reduced: null };
    expect(allSizes([whole, other])).toEqual([whole, other, reduced]);
    expect(halfSizes([whole, other])).toEqual([reduced]);
    expect(() => halfSizes([other])).toThrow(/\?size=/);
  });
});

/** A renderer whose frames take `milliseconds`, and what was asked of it. */
function renderer(milliseconds: number): Renderer & { asked: string[] } {
  const asked: string[] = [];
  const times = { run: milliseconds, submit: 0, present: 0, wait: 0, total: milliseconds };
  return {
    asked,
    async render() {
      asked.push("render");
      return { times, stages: null };
    },
    redraw: () => void asked.push("redraw"),
    look: (look) => void asked.push(look),
    compute: () => Promise.reject(new Error("not here")),
    read: () => Promise.reject(new Error("not here")),
    depthAt: async () => (asked.push("depth"), milliseconds),
  };
}

describe("Renditions", () => {
  const size = { width: 1, height: 1 };
  /** Draw while the camera moves, until the other rendition draws; null: it never does. */
  async function untilReduced(renditions: Renditions): Promise<number | null> {
    for (let frame = 0; frame < 30; frame++) {
      const { rendition, done } = await renditions.render(START, size, false);
      expect(done).toBe(rendition === "full");
      if (rendition === "reduced") return frame;
    }
    return null;
  }

  it("starts the reduced size only where the full one is too slow, and once", async () => {
    let starts = 0;
    const start = async () => (starts++, renderer(30));
    expect(await untilReduced(new Renditions(renderer(10), start, 30))).toBeNull();
    expect(starts).toBe(0);
    const slow = new Renditions(renderer(100), start, 30);
    expect(await untilReduced(slow)).not.toBeNull();
    await slow.render(START, size, false);
    expect(starts).toBe(1);
  });

  it("rests in full size, and asks and redraws what was rendered last", async () => {
    const [full, reduced] = [renderer(100), renderer(25)];
    const renditions = new Renditions(full, async () => reduced, 30);
    renditions.look("depth");
    await untilReduced(renditions);
    expect(reduced.asked).toEqual(["depth", "render"]); // looked at as the full size is
    expect(await renditions.depthAt(0, 0)).toBe(25);
    renditions.redraw(size);
    expect(reduced.asked.slice(2)).toEqual(["depth", "redraw"]);
    const { rendition, done } = await renditions.render(START, size, true);
    expect([rendition, done]).toEqual(["full", true]);
    expect(await renditions.depthAt(0, 0)).toBe(100);
  });

  it("goes on in full size where the reduced one does not start", async () => {
    const fails = () => Promise.reject(new Error("no memory"));
    const renditions = new Renditions(renderer(100), fails, 30);
    expect(await untilReduced(renditions)).toBeNull();
  });
});
