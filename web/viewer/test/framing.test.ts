import { describe, expect, it } from "vitest";

import { aimOf, pointAt, poseOf } from "../src/camera";
import {
  type Limits,
  limitsOf,
  nearestAim,
  reach,
  room,
  splitAim,
  type Tangents,
} from "../src/framing";
import { limited } from "../src/limits";
import type { CameraPose } from "../src/manifest";
import { add, cross, norm, subtract } from "../src/vector";
import { HOME, IN_ARC, IN_RING, IN_SHELL, INTRINSICS, RING, START } from "./envelope";
import { anywhere } from "./orbits";
import { column, project } from "./project";

describe("limitsOf", () => {
  it("lets things be drawn three times as large as in training", () => {
    const { focal, lens, envelope } = limitsOf({ envelope: RING, start: START });
    expect(focal).toEqual([0.8, 6]);
    expect([lens[2], lens[3], envelope]).toEqual([INTRINSICS[2], INTRINSICS[3], RING]);
  });
});

describe("room", () => {
  it("is 1/(2 f0) - 1/(2 f) up and down, times the aspect ratio to the sides", () => {
    const middle = { ...IN_RING, lens: [0.6, 1.2, 0.5, 0.5] as const };
    // 1/1.6 - 1/3.2 = 0.3125; the picture is twice as wide as high
    expect(room(1.6, middle)).toEqual([
      [-0.625, 0.625],
      [-0.3125, 0.3125],
    ]);
  });

  it("is larger on the side where the trained picture shows more", () => {
    const [x, y] = room(1.6, IN_RING); // 1/0.8 - 1/1.6 = 0.625, split by 0.48 : 0.52 and 0.53 : 0.47
    expect(x[0]).toBeCloseTo(-0.6, 12);
    expect(x[1]).toBeCloseTo(0.65, 12);
    expect(y[0]).toBeCloseTo(-0.29375, 12);
    expect(y[1]).toBeCloseTo(0.33125, 12);
  });

  it("is none in the widest trained picture", () => {
    for (const side of room(0.8, IN_RING).flat()) expect(Math.abs(side)).toBe(0);
  });
});

describe("reach", () => {
  it("is where the axis passes the pivot at the spread", () => {
    const most = reach(1.5, RING);
    expect(most).toBeCloseTo(0.4 / Math.sqrt(2.09), 12);
    expect(1.5 * Math.sin(Math.atan(most))).toBeCloseTo(RING.target_spread, 12);
  });
});

/** The trained camera whose picture is the widest, in the same place with the same axis. */
const widest = (pose: CameraPose, { lens, envelope }: Limits): CameraPose => ({
  ...pose,
  intrinsics: [(lens[0] / lens[1]) * envelope.focal[0], envelope.focal[0], lens[2], lens[3]],
});

const CORNERS = [
  [0, 0],
  [1, 0],
  [0, 1],
  [1, 1],
] as const;

describe.each([
  ["a ring of cameras", IN_RING],
  ["an arc", IN_ARC],
  ["a sphere of cameras that look at one point", IN_SHELL],
])("every camera inside the limits of %s", (_, limits) => {
  const poses = [...anywhere(400)].map((orbit) => poseOf(limited(orbit, limits), limits));

  it("shows a part of a picture that the student was trained for", () => {
    let most = 0;
    for (const pose of poses) {
      const trained = widest(pose, limits);
      for (const [x, y] of CORNERS) {
        const [u, v] = project(trained, pointAt(pose, x, y, 1));
        for (const value of [u, v]) most = Math.max(most, -value, value - 1);
      }
    }
    expect(most).toBeLessThan(1e-9);
    expect(most).toBeGreaterThan(-1e-9); // some do reach its edge
  });

  it("has an optical axis that passes the pivot within the spread", () => {
    const { pivot, target_spread } = limits.envelope;
    for (const pose of poses) {
      const arm = subtract(column(pose, 3), pivot);
      expect(norm(cross(arm, column(pose, 2)))).toBeLessThanOrEqual(target_spread + 1e-6);
    }
  });
});

describe("a crop and a turn", () => {
  /** Aims all over what can be reached, up to its edge. */
  function* aims(): Generator<{ aim: Tangents; focal: number; radius: number }> {
    for (let k = 0; k < 600; k++) {
      const [focal, radius] = [0.8 + (k % 7) * 0.7, 1.5 + (k % 5) * 0.6];
      const far = 1.2 * ((k % 11) / 10) ** 2;
      const aim = [far * Math.cos(k), far * Math.sin(k)] as const;
      yield { aim: nearestAim(aim, focal, radius, IN_RING), focal, radius };
    }
  }

  it("make up every aim that can be reached, and each is allowed", () => {
    for (const { aim, focal, radius } of aims()) {
      const { crop, turn } = splitAim(aim, focal, radius, IN_RING);
      expect(Math.hypot(crop[0] + turn[0] - aim[0], crop[1] + turn[1] - aim[1])).toBeLessThan(1e-8);
      expect(Math.hypot(...turn)).toBeLessThanOrEqual(reach(radius, RING) + 1e-12);
      const [x, y] = room(focal, IN_RING);
      for (const [value, [low, high]] of [
        [crop[0], x],
        [crop[1], y],
      ] as const) {
        expect(value).toBeGreaterThanOrEqual(low - 1e-12);
        expect(value).toBeLessThanOrEqual(high + 1e-12);
      }
    }
  });

  it("turn as long as turning is enough, and crop no more than is needed", () => {
    for (const { aim, focal, radius } of aims()) {
      const { crop } = splitAim(aim, focal, radius, IN_RING);
      const most = reach(radius, RING);
      if (Math.hypot(...aim) <= most) expect(crop).toEqual([0, 0]);
      const [x, y] = room(focal, IN_RING);
      let least = Infinity; // by trying
      for (let i = 0; i <= 40; i++) {
        for (let j = 0; j <= 40; j++) {
          const tried = [x[0] + ((x[1] - x[0]) * i) / 40, y[0] + ((y[1] - y[0]) * j) / 40] as const;
          const turn = Math.hypot(aim[0] - tried[0], aim[1] - tried[1]);
          if (turn <= most) least = Math.min(least, Math.hypot(...tried));
        }
      }
      expect(Math.hypot(...crop)).toBeLessThanOrEqual(least + 1e-9);
    }
  });

  it("keep what is looked at in the principal point's place", () => {
    for (const offset of [
      [0.1, 0.2, -0.1],
      [0.35, -0.5, 0.3],
    ] as const) {
      const orbit = limited({ ...HOME, focal: 4, offset }, IN_SHELL); // no turn: exact
      const [u, v] = project(poseOf(orbit, IN_SHELL), add(RING.pivot, orbit.offset));
      expect(u).toBeCloseTo(INTRINSICS[2], 12);
      expect(v).toBeCloseTo(INTRINSICS[3], 12);
    }
  });
});

describe("nearestAim", () => {
  it("leaves alone what can be reached, and finds the nearest of the rest", () => {
    const [, [, top]] = room(1.6, IN_RING);
    const most = reach(2.5, RING);
    expect(nearestAim([0.1, 0.2], 1.6, 2.5, IN_RING)).toEqual([0.1, 0.2]);
    expect(nearestAim([0, 9], 1.6, 2.5, IN_RING)).toEqual([0, top + most]); // over an edge
    const corner = nearestAim([0.65 + 3, top + 4], 1.6, 2.5, IN_RING); // over a corner: 3, 4, 5
    expect(corner[0]).toBeCloseTo(0.65 + 0.6 * most, 12);
    expect(corner[1]).toBeCloseTo(top + 0.8 * most, 12);
  });

  it("is where a camera ends up", () => {
    for (const orbit of anywhere(100)) {
      const inside = limited(orbit, IN_RING);
      const { aside } = aimOf(inside);
      const again = nearestAim(aside, inside.focal, inside.radius, IN_RING);
      expect(Math.hypot(again[0] - aside[0], again[1] - aside[1])).toBeLessThan(1e-9);
    }
  });
});
