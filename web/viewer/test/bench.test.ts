import { describe, expect, it } from "vitest";

import { between, measure, type Subject } from "../src/bench";
import { type BenchReport, markdown, spread } from "../src/bench_report";
import type { CameraPose } from "../src/manifest";
import { MANIFEST } from "./manifests";

const camera = (x: number): CameraPose => ({
  T_norm_camera: [1, 0, 0, x, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
  intrinsics: [1, 1, 0.5, 0.5],
});
const effort = (most: number) => ({ most, least: 1, seconds: 100 });
const NOTHING = { median: 0, p95: 0 };
const grey = (value: number) => ({
  width: 1,
  height: 1,
  rgba: Uint8Array.from([value, value, value, value]),
});

describe("spread", () => {
  it("is the nearest rank, whatever the order", () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(spread(hundred)).toEqual({ median: 50, p95: 95 });
    expect(spread([3])).toEqual({ median: 3, p95: 3 });
  });
});

describe("between", () => {
  const three = [camera(0), camera(4), camera(8)];

  it("blends neighbours, and closes the way", () => {
    expect(between(three, 1.25).T_norm_camera[3]).toBe(5);
    expect(between(three, 2.5).T_norm_camera[3]).toBe(4);
    expect(between([camera(7)], 0.5).T_norm_camera[3]).toBe(7);
  });
});

describe("measure", () => {
  const references = [0, 1].map((k) => ({
    camera: camera(k),
    image: `${k}.png`,
    sha256: "",
    reduced: null,
  }));

  /** Draws everything one grey too bright; the k-th frame takes k + 1 ms, half of it in `run`. */
  function subject(): Subject & { timed: CameraPose[] } {
    const timed: CameraPose[] = [];
    return {
      timed,
      capture: async () => grey(101),
      reference: async () => grey(100),
      async time(pose) {
        timed.push(pose);
        const total = timed.length;
        return { run: total / 2, submit: 0, present: 1, wait: 0, total };
      },
    };
  }

  it("compares every reference and times frames that all differ", async () => {
    const it = subject();
    const fractions: number[] = [];
    const found = await measure(it, { ...MANIFEST, references }, effort(20), (f) =>
      fractions.push(f),
    );
    expect(found.psnr.map((db) => db.toFixed(2))).toEqual(["48.13", "48.13"]); // 20 log10(255)
    expect(found.milliseconds.total).toEqual({ median: 10, p95: 19 });
    expect(found.milliseconds.run).toEqual({ median: 5, p95: 9.5 });
    expect(found.milliseconds.present).toEqual({ median: 1, p95: 1 });
    expect(new Set(it.timed.map(({ T_norm_camera }) => T_norm_camera[3])).size).toBeGreaterThan(10);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
  });

  it("stops early where frames are slow, but not before it has a few", async () => {
    const few = { most: 20, least: 3, seconds: 0 };
    const found = await measure(subject(), { ...MANIFEST, references }, few, () => {});
    expect(found.frames).toBe(3);
  });

  it("leaves out a reference whose picture cannot be had", async () => {
    const blind = { ...subject(), reference: async () => null };
    const found = await measure(blind, { ...MANIFEST, references }, effort(1), () => {});
    expect(found.psnr).toEqual([]);
  });

  it("makes do without references", async () => {
    const found = await measure(subject(), { ...MANIFEST, references: [] }, effort(2), () => {});
    expect(found.psnr).toEqual([]);
  });
});

describe("markdown", () => {
  const report: BenchReport = {
    schema: 1,
    scene: "ball",
    exported: "2026-01-01T00:00:00+00:00",
    measured: "2026-01-02T00:00:00.000Z",
    browser: "Chromium 156",
    cores: 2,
    backend: "wasm",
    adapter: null,
    student: "tiny",
    precision: "fp32",
    form: "graph",
    width: 128,
    height: 128,
    gflop: 0.38,
    frames: 60,
    milliseconds: {
      run: { median: 38, p95: 50 },
      submit: NOTHING,
      present: NOTHING,
      wait: NOTHING,
      total: { median: 40, p95: 55.54 },
    },
    fps: 24.4,
    heap: null,
    psnr: [60, 50],
  };

  it("has a row for every figure", () => {
    const text = markdown(report);
    expect(text).toContain("| total | 40.0 | 55.5 |");
    expect(text).toContain("| run | 38.0 | 50.0 |");
    expect(text).toContain("55.0 dB mean, 50.0 dB worst of 2 cameras");
    expect(text).toContain("no graphics adapter");
    expect(markdown({ ...report, psnr: [] })).toContain("no reference pictures");
  });
});
