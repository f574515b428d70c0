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

  it("glides on from a pinch, in size and place", () => {
    const fling = vi.spyOn(motion, "release");
    gesture.down(1, [0.8, 0.5], 0, false);
    gesture.down(2, [1, 0.5], 0, false);
    for (let k = 1; k <= 10; k++) gesture.move(2, [1 + 0.02 * k, 0.5], 0.01 * k);
    gesture.up(2, 0.1);
    gesture.move(1, [0.81, 0.5], 0.105); // the other finger slips as it is lifted
    gesture.up(1, 0.11);
    const { zoom, x, azimuth } = speedOf(fling);
    expect(azimuth).toBe(0);
    expect(x).toBeGreaterThan(0.8); // the middle: half of 2 heights per second
    expect(x).toBeLessThan(1.1);
    expect(zoom).toBeGreaterThan(5); // from 0.2 to 0.4 in a tenth of a second: ln 2 / 0.1 is 6.9
    expect(zoom).toBeLessThan(7);
  });

  it("is not disturbed by a third finger", () => {
    gesture.down(1, [0.9, 0.5], 0, false);
    gesture.down(2, [1.1, 0.5], 0, false);
    gesture.down(3, [1.5, 0.9], 0, false);
    const before = shown();
    gesture.move(3, [0.2, 0.1], 0);
    expect(shown()).toEqual(before);
    gesture.up(1, 0);
    gesture.move(2, [1.1, 0.5], 0.1);
    expect(shown()).toEqual(before); // now 2 and 3 pinch, from where they are
  });

  it("forgets what the browser takes away: no gliding, no tap", () => {
    const fling = vi.spyOn(motion, "release");
    gesture.down(1, [0, 0], 0, false);
    for (let k = 1; k <= 5; k++) gesture.move(1, [0.1 * k, 0], 0.01 * k);
    expect(gesture.cancel(1)).toBe(true);
    expect(gesture.cancel(1)).toBe(false);
    expect(fling).toHaveBeenCalledExactlyOnceWith();
    expect(gesture.move(1, [0.9, 0], 0.07)).toBe(false);
  });

  describe("two taps", () => {
    const tap = (at: Point, time: number, long = 0.05, move = false): void => {
      gesture.down(1, at, time, move);
      gesture.up(1, time + long);
    };

    it("in the same place, one soon after the other, are a double tap there", () => {
      tap([0.5, 0.5], 0);
      expect(taps).toEqual([]);
      tap([0.52, 0.5], 0.2);
      expect(taps).toEqual([[0.52, 0.5]]);
      tap([0.52, 0.5], 0.4); // a third one is the first of the next two
      expect(taps).toHaveLength(1);
    });

    it.each([
      ["too late", () => tap([0.5, 0.5], 0.6)],
      ["elsewhere", () => tap([0.7, 0.5], 0.2)],
      ["too long", () => tap([0.5, 0.5], 0.2, 0.5)],
      ["with the right button", () => tap([0.5, 0.5], 0.2, 0.05, true)],
      [
        "a drag",
        () => {
          gesture.down(1, [0.5, 0.5], 0.2, false);
          gesture.move(1, [0.6, 0.5], 0.21);
          gesture.up(1, 0.25);
        },
      ],
      [
        "two fingers",
        () => {
          gesture.down(1, [0.5, 0.5], 0.2, false);
          gesture.down(2, [0.55, 0.5], 0.2, false);
          gesture.up(2, 0.22);
          gesture.up(1, 0.24);
        },
      ],
    ])("are none where the second is %s", (_, second) => {
      tap([0.5, 0.5], 0);
      second();
      expect(taps).toEqual([]);
    });
  });
});
