import { describe, expect, it } from "vitest";

import type { Picture } from "../src/protocol";
import { agreement, RIGHT, wrongText } from "../src/self_check";

const picture = (values: readonly number[], width = 2): Picture => ({
  width,
  height: values.length / 4 / width,
  rgba: Uint8Array.from(values),
});

describe("agreement", () => {
  const a = picture([10, 20, 30, 255, 0, 0, 0, 0]);

  it("is the PSNR over all four channels", () => {
    // One byte of eight is 51 too high: MSE = 0.2^2 / 8, PSNR = -10 log10(0.005) = 23.01 dB.
    expect(agreement(a, picture([10, 71, 30, 255, 0, 0, 0, 0]))).toBeCloseTo(23.0103, 4);
    // A missing alpha counts like a missing colour.
    expect(agreement(a, picture([10, 20, 30, 204, 0, 0, 0, 0]))).toBeCloseTo(23.0103, 4);
  });

  it("is finite for the same picture, as export writes it", () => {
    expect(agreement(a, a)).toBe(100);
  });

  it("is unknown for pictures of different sizes", () => {
    expect(agreement(a, picture([...a.rgba], 1))).toBeNull();
  });
});

it("the visitor is told where, how wrong, and what is right", () => {
  expect(wrongText("WebGPU on this device (a card)", 12.34)).toBe(
    `WebGPU on this device (a card) draws this scene wrongly (12.3 dB against its exported ` +
      `picture, at least ${RIGHT} expected).`,
  );
});
