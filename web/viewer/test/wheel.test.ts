import { describe, expect, it } from "vitest";

import { type Scroll, scrolled } from "../src/wheel";

const wheel = (change: Partial<Scroll>): number =>
  scrolled({ deltaX: 0, deltaY: 0, deltaMode: 0, ctrlKey: false, shiftKey: false, ...change });

describe("scrolled", () => {
  it("takes one notch for about the same in pixels, lines and pages", () => {
    const notches = [
      wheel({ deltaY: -100 }),
      wheel({ deltaY: -3, deltaMode: 1 }),
      wheel({ deltaY: -1, deltaMode: 2 }),
    ];
    for (const notch of notches) expect(notch).toBeCloseTo(0.15, 12);
  });

  it("is small for a trackpad's small movements, and adds up", () => {
    expect(10 * wheel({ deltaY: 2.5 })).toBeCloseTo(wheel({ deltaY: 25 }), 12);
  });

  it("follows a trackpad's pinch: fingers a tenth further apart are 10 pixels", () => {
    expect(wheel({ deltaY: -10, ctrlKey: true })).toBeCloseTo(0.1, 12);
  });

  it("does not leap for a mouse with Ctrl, nor for a wheel that spins freely", () => {
    expect(wheel({ deltaY: -120, ctrlKey: true })).toBe(0.25);
    expect(wheel({ deltaY: 5000 })).toBe(-1);
  });

  it("takes the other axis with Shift, where browsers swap them, and only there", () => {
    expect(wheel({ deltaX: -100, shiftKey: true })).toBeCloseTo(0.15, 12);
    expect(wheel({ deltaX: -100 })).toBeCloseTo(0, 12);
  });
});
