import { beforeEach, describe, expect, it, type MockInstance, vi } from "vitest";

import { Gesture, type Point } from "../src/gesture";
import { Motion } from "../src/motion";
import { type Rates, STILL } from "../src/rates";
import { HOME, IN_RING } from "./envelope";

describe("Gesture", () => {
  let motion: Motion;
  let gesture: Gesture;
  let taps: Point[];

  beforeEach(() => {
    motion = new Motion(HOME, HOME, IN_RING, true);
    taps = [];
    gesture = new Gesture(
      motion,
      ([x, y]) => [x - 1, 0.5 - y], // the middle of a picture twice as wide as high
      (at) => taps.push(at),
    );
  });

  const shown = (): Motion["shown"] => {
    motion.step(1);
    return motion.shown;
  };

  /** At which the hand let go. */
  const speedOf = (release: MockInstance<Motion["release"]>): Rates => {
    expect(release).toHaveBeenCalledOnce();
    return release.mock.calls[0]![0]!;
  };

  it("turns half a turn from edge to edge, and the scene follows the hand", () => {
    gesture.down(1, [0, 0], 0, false);
    gesture.move(1, [0.5, 0.1], 0);
    expect(shown().azimuth).toBeCloseTo(HOME.azimuth - Math.PI / 2, 12); // right: it goes left
    expect(shown().elevation).toBeCloseTo(HOME.elevation + Math.PI / 10, 12); // down: it goes up
  });

  it("ignores a pointer that only hovers", () => {
    expect(gesture.move(7, [0.5, 0.5], 0)).toBe(false);
    expect(shown()).toEqual(HOME);
  });

  it("moves the picture with Shift or the right button", () => {
    gesture.down(1, [0, 0], 0, true);
    gesture.move(1, [0.02, 0], 0);
    expect(shown().azimuth).toBe(HOME.azimuth);
    expect(Math.hypot(...shown().offset)).toBeCloseTo((0.02 * HOME.radius) / HOME.focal, 12);
  });

  it("zooms by the ratio of two fingers' distances", () => {
    gesture.down(1, [0.9, 0.5], 0, false);
    gesture.down(2, [1.1, 0.5], 0, false);
    gesture.move(1, [0.875, 0.5], 0);
    gesture.move(2, [1.125, 0.5], 0);
    expect(shown().radius).toBeCloseTo(HOME.radius / 1.25, 12);
    expect(Math.hypot(...shown().offset)).toBeLessThan(0.005); // the middle went there and back
  });

  it("goes on with the finger that is left, without a jump", () => {
    gesture.down(1, [0, 0], 0, false);
    gesture.down(2, [0.4, 0.3], 0, false);
    gesture.up(1, 0);
    gesture.move(2, [0.4, 0.3], 0.1);
    expect(shown()).toEqual(HOME);
  });

  it("flings at the speed of the last tenth of a second", () => {
    const fling = vi.spyOn(motion, "release");
    gesture.down(1, [0, 0], 0, false);
    for (let k = 1; k <= 20; k++) gesture.move(1, [0.01 * k, 0], 0.01 * k);
    gesture.up(1, 0.2);
    expect(speedOf(fling).azimuth).toBeCloseTo(-Math.PI, 10); // one height per second
    expect(speedOf(fling).elevation).toBeCloseTo(0, 12);
  });

  it("flings at the right speed where movements are reported seldom, too", () => {
    const fling = vi.spyOn(motion, "release");
    gesture.down(1, [0, 0], 0, false);
    for (let k = 1; k <= 3; k++) gesture.move(1, [0.2 * k, 0], 0.2 * k);
    gesture.up(1, 0.6);
    expect(speedOf(fling).azimuth).toBeCloseTo(-Math.PI, 10);
  });

  it("does not fling by a tap", () => {
    const fling = vi.spyOn(motion, "release");
    gesture.down(1, [0, 0], 0, false);
    gesture.up(1, 0.02);
    expect(speedOf(fling)).toEqual(STILL);
  });

  it("does not fling after a stop", () => {
    const fling = vi.spyOn(motion, "release");
    gesture.down(1, [0, 0], 0, false);
    gesture.move(1, [0.3, 0], 0.1);
    gesture.up(1, 0.5);
    expect(speedOf(fling)).toEqual(STILL);
  });
});
