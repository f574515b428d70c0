import { describe, expect, it } from "vitest";

import { type Pad, padResets, padSpeed } from "../src/gamepad";
import { STILL } from "../src/rates";

const pad = (axes: number[], pressed: Record<number, number> = {}): Pad => ({
  axes,
  buttons: Array.from({ length: 17 }, (_, k) => ({ value: pressed[k] ?? 0 })),
});

describe("padSpeed", () => {
  it("is none for sticks that rest nearly in the middle", () => {
    expect(padSpeed(pad([0.08, -0.08, 0.1, 0.05]))).toBe(STILL);
    expect(padSpeed({ axes: [], buttons: [] })).toBe(STILL);
  });

  it("turns with the left stick, moves with the right one, zooms with the triggers", () => {
    expect(padSpeed(pad([1, 0, 0, 0])).azimuth).toBeCloseTo(2, 12);
    expect(padSpeed(pad([0, -1, 0, 0])).elevation).toBeCloseTo(2, 12); // forward: up
    expect(padSpeed(pad([0, 0, 1, -1])).x).toBeCloseTo(-0.8 / Math.SQRT2, 12);
    expect(padSpeed(pad([0, 0, 1, -1])).y).toBeCloseTo(0.8 / Math.SQRT2, 12);
    expect(padSpeed(pad([], { 7: 1 })).zoom).toBeCloseTo(1.2, 12);
    expect(padSpeed(pad([], { 6: 1, 7: 1 })).zoom).toBe(0);
  });

  it("is finer near the middle, and no faster in the corners", () => {
    expect(padSpeed(pad([0.56, 0, 0, 0])).azimuth).toBeCloseTo(2 * 0.5 ** 2, 12);
    const { azimuth, elevation } = padSpeed(pad([1, 1, 0, 0]));
    expect(Math.hypot(azimuth, elevation)).toBeCloseTo(2, 12);
  });
});

describe("padResets", () => {
  it("is the Start button", () => {
    expect(padResets(pad([], { 9: 1 }))).toBe(true);
    expect(padResets(pad([], { 8: 1 }))).toBe(false);
  });
});
