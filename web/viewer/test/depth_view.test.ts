import { describe, expect, it } from "vitest";

import { colourOf, colourTable, type Rgb } from "../src/colour_map";
import { COLOURS, depthRange, paintDepth, table } from "../src/depth_view";
import { RING, START } from "./envelope";

/** CIE lightness L* of an sRGB colour: another yardstick than the one the colours are made with. */
function lightness(rgb: Rgb): number {
  const linear = rgb.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const y = 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!;
  return 116 * Math.cbrt(y) - 16;
}

describe("the colours of depth", () => {
  const colours = Array.from({ length: 17 }, (_, k) => colourOf(k / 16));

  it("get darker in steps that are alike", () => {
    const steps = colours.slice(1).map((colour, k) => lightness(colours[k]!) - lightness(colour));
    const mean = (lightness(colours[0]!) - lightness(colours[16]!)) / 16;
    expect(mean).toBeGreaterThan(4);
    for (const step of steps) expect(Math.abs(step - mean)).toBeLessThan(0.4 * mean);
  });

  it("are sRGB's, and colours: nowhere grey", () => {
    for (const colour of colours) {
      for (const value of colour) expect(value >= -1e-9 && value <= 1 + 1e-9).toBe(true);
      expect(Math.max(...colour) - Math.min(...colour)).toBeGreaterThan(0.2);
    }
  });

  it("lie in a table from first to last, opaque", () => {
    const bytes = colourTable(5);
    const expected = [0, 0.25, 0.5, 0.75, 1].flatMap((t) => [
      ...colourOf(t).map((value) => Math.round(255 * value)),
      255,
    ]);
    expect([...bytes]).toEqual(expected);
  });
});

describe("depthRange", () => {
  it("has the pivot in the middle, and half the widest picture on both sides of it", () => {
    // HOME stands 2.5 from the pivot; 4 * 0.5 / 0.8 = 2.5.
    const [near, far] = depthRange(START, RING);
    expect(near).toBeCloseTo(0, 6);
    expect(far).toBeCloseTo(5, 6);
  });

  it("never begins behind the camera", () => {
    const [near, far] = depthRange(START, { ...RING, radius: [1.5, 40] });
    expect(near).toBe(0);
    expect(far).toBeCloseTo(27.5, 6);
  });
});

describe("paintDepth", () => {
  it("gives near, middle and far their colours, under the picture's alpha", () => {
    const depth = Float32Array.from([1, 2, 3, -5, 9, NaN]);
    const planes = new Float32Array(24);
    planes.set([1, 0.5, 1, 1, 1, 0], 18);
    const bytes = new Uint8ClampedArray(24);
    paintDepth(depth, planes, [1, 3], bytes);
    const entry = (k: number): number[] => [...table().subarray(4 * k, 4 * k + 3)];
    const expected = [0, 128, COLOURS - 1, 0, COLOURS - 1, 0].map(entry);
    const alphas = [255, 128, 255, 255, 255, 0];
    expect([...bytes]).toEqual(expected.flatMap((rgb, k) => [...rgb, alphas[k]]));
  });
});
