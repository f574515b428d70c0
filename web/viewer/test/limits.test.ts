import { describe, expect, it } from "vitest";

import { aimOf, distance, type Orbit } from "../src/camera";
import { room } from "../src/framing";
import { hardened, limited, softened } from "../src/limits";
import {
  HOME,
  IN_ARC,
  IN_ARC_TRACK,
  IN_BAY,
  IN_RING,
  IN_ROOM,
  IN_SHELL,
  IN_TRACK,
} from "./envelope";
import { anywhere } from "./orbits";

describe("limited", () => {
  it("leaves an orbit inside alone, to the last bit", () => {
    for (const orbit of [
      HOME,
      { ...HOME, focal: 1.7, offset: [0.1, -0.2, 0.15] } as Orbit,
      { ...HOME, focal: 5.9, radius: 1.6, elevation: 1.19 },
    ]) {
      expect(limited(orbit, IN_RING)).toEqual(orbit);
    }
  });

  it("brings every coordinate to its nearest bound", () => {
    const outside: Orbit = { azimuth: 9, elevation: 2, radius: 99, offset: [0, 0, 0], focal: 9 };
    expect(limited(outside, IN_RING)).toEqual({ ...outside, elevation: 1.2, radius: 4, focal: 6 });
    const under: Orbit = { azimuth: -9, elevation: -2, radius: 0, offset: [0, 0, 0], focal: 0.1 };
    expect(limited(under, IN_RING)).toEqual({
      ...under,
      elevation: -0.2,
      radius: 1.5,
      focal: 0.8,
    });
  });

  it("changes nothing the second time", () => {
    for (const limits of [IN_RING, IN_ARC, IN_SHELL, IN_TRACK, IN_ARC_TRACK, IN_ROOM, IN_BAY]) {
      for (const orbit of anywhere(300)) {
        const inside = limited(orbit, limits);
        expect(distance(limited(inside, limits), inside)).toBeLessThan(1e-8);
      }
    }
  });

  it("keeps to the track of a filmed path, where the camera has come to stand", () => {
    const high: Orbit = { ...HOME, elevation: 1.5, radius: 9 };
    const at = (azimuth: number, limits = IN_TRACK): number[] => {
      const { elevation, radius } = limited({ ...high, azimuth }, limits);
      return [elevation, radius];
    };
    expect(at(-Math.PI)).toEqual([0.1, 2]);
    expect(at(0)).toEqual([1.2, 4]);
    expect(at(8 * Math.PI)).toEqual([1.2, 4]); // some turns later
    expect(at(Math.PI / 4)).toEqual([expect.closeTo(0.9), expect.closeTo(3.75)]);
    expect(at(0.75 * Math.PI)).toEqual([expect.closeTo(0.35), expect.closeTo(2.75)]); // it closes
    expect(at(1, IN_ARC_TRACK)).toEqual([0.1, 2]); // beyond the arc's first angle
    expect(at(4.2, IN_ARC_TRACK)).toEqual([0.6, 3.5]); // and beyond its last
    expect(limited({ ...HOME, azimuth: 0, radius: 1 }, IN_TRACK).radius).toBe(3);
  });

  it("finds an angle on the arc however it is written", () => {
    for (const turns of [-2, -1, 0, 1]) {
      const written = limited({ ...HOME, azimuth: 3.9 + turns * 2 * Math.PI }, IN_ARC);
      expect(written.azimuth).toBeCloseTo(3.9, 12);
    }
    expect(limited({ ...HOME, azimuth: 4.5 }, IN_ARC).azimuth).toBe(4.1); // nearer to the last angle
    expect(limited({ ...HOME, azimuth: 2.1 }, IN_ARC).azimuth).toBe(2.5); // nearer to the first
  });

  it("brings the axis back as the picture gets wider", () => {
    const near = limited({ ...HOME, focal: 6, offset: [1, 1, 1] }, IN_SHELL);
    expect(Math.hypot(...near.offset)).toBeGreaterThan(0.5);
    const wide = limited({ ...near, focal: 1 }, IN_SHELL);
    const [, [low, high]] = room(1, IN_SHELL);
    expect([low, high]).toContainEqual(expect.closeTo(aimOf(wide).aside[1], 9));
    expect(Math.hypot(...limited({ ...near, focal: 0.8 }, IN_SHELL).offset)).toBeLessThan(1e-9);
  });

  it("keeps what is looked at near the pivot, along the same ray", () => {
    const deep: Orbit = { ...HOME, azimuth: 0, elevation: 0, offset: [-2.4, 0.1, 0.05], focal: 4 };
    const inside = limited(deep, IN_SHELL);
    expect(aimOf(inside).aside[0]).toBeCloseTo(aimOf(deep).aside[0], 9);
    expect(aimOf(inside).aside[1]).toBeCloseTo(aimOf(deep).aside[1], 9);
    expect(Math.hypot(...inside.offset)).toBeCloseTo((2 / 3) * 2.5, 9);
  });
});

describe("softened", () => {
  it("gives what is asked for inside", () => {
    const orbit: Orbit = { ...HOME, elevation: 1.19, focal: 5.9 };
    expect(softened(orbit, IN_RING)).toEqual(orbit);
  });

  it("gives ever less beyond the edge: 0.05 radians asked for are 0.025, 0.1 are 0.0333", () => {
    const past = (by: number): number =>
      softened({ ...HOME, elevation: 1.2 + by }, IN_RING).elevation - 1.2;
    expect(past(0.05)).toBeCloseTo(0.025, 12);
    expect(past(0.1)).toBeCloseTo(0.1 / 3, 12);
    expect(past(1e-6)).toBeCloseTo(1e-6, 10); // begins without a knock
    expect(past(0.2)).toBeCloseTo(0.04, 12);
    expect(past(99)).toBeCloseTo(0.04, 12);
  });

  it("goes at most 4 hundredths past the edge in everything, and never past the pole", () => {
    for (const limits of [IN_RING, IN_ARC, IN_SHELL, IN_TRACK, IN_ARC_TRACK, IN_ROOM, IN_BAY]) {
      for (const orbit of anywhere(300)) {
        const [soft, hard] = [softened(orbit, limits), limited(orbit, limits)];
        expect(Math.abs(soft.azimuth - hard.azimuth)).toBeLessThan(0.0401);
        expect(Math.abs(soft.elevation - hard.elevation)).toBeLessThan(0.0401);
        expect(Math.abs(Math.log(soft.focal / hard.focal))).toBeLessThan(0.0401);
        expect(soft.radius).toBe(hard.radius);
        const far = limited(soft, limits);
        const moved = distance({ ...soft, azimuth: 0, elevation: 0 }, { ...far, azimuth: 0, elevation: 0 }); // prettier-ignore
        expect(moved).toBeLessThan(0.1);
      }
    }
    const steep = {
      ...IN_RING,
      envelope: { ...IN_RING.envelope, elevation: [-1.55, 1.55] as const },
    };
    for (const elevation of [9, -9]) {
      const pulled = softened({ ...HOME, elevation }, steep).elevation;
      expect(Math.abs(pulled)).toBeGreaterThan(1.55);
      expect(Math.abs(pulled)).toBeLessThan(Math.PI / 2 - 0.005);
    }
  });

  it("can be undone, so that a hand that comes back takes the camera along", () => {
    for (const limits of [IN_RING, IN_ARC, IN_SHELL]) {
      for (const { focal, offset } of anywhere(200)) {
        const soft = softened({ ...HOME, azimuth: 3, focal, offset }, limits);
        expect(distance(softened(hardened(soft, limits), limits), soft)).toBeLessThan(1e-6);
      }
    }
    const asked: Orbit = { ...HOME, azimuth: 4.1 + 0.07, elevation: 1.2 + 0.09, focal: 6.2 };
    expect(distance(hardened(softened(asked, IN_ARC), IN_ARC), asked)).toBeLessThan(1e-9);
  });
});
