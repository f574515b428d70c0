import { describe, expect, it } from "vitest";

import { aimOf, distance, type Orbit, poseOf } from "../src/camera";
import type { Limits } from "../src/framing";
import { limited } from "../src/limits";
import { panned, turned, zoomed } from "../src/moves";
import { add, type Vec3 } from "../src/vector";
import { HOME, IN_ARC, IN_RING, IN_SHELL, INTRINSICS, RING } from "./envelope";
import { project } from "./project";

const seen = (orbit: Orbit, limits: Limits, offset: Vec3 = [0, 0, 0]): [number, number] =>
  project(poseOf(orbit, limits), add(RING.pivot, offset));

describe("turned", () => {
  it("counts a pull past an arc's end as one, however far the hand went", () => {
    const inside = limited({ ...HOME, azimuth: 3 }, IN_ARC);
    for (const far of [1.5, 50]) {
      expect(limited(turned(inside, far, 0, IN_ARC), IN_ARC).azimuth).toBe(4.1);
      expect(limited(turned(inside, -far, 0, IN_ARC), IN_ARC).azimuth).toBe(2.5);
    }
  });

  it("goes all the way round where the envelope does", () => {
    const pose = poseOf(turned(HOME, 2 * Math.PI, 0, IN_RING), IN_RING);
    const before = poseOf(HOME, IN_RING);
    pose.T_norm_camera.forEach((x, i) => expect(x).toBeCloseTo(before.T_norm_camera[i]!, 12));
  });
});

describe("panned", () => {
  it("moves the picture by what was asked, to first order where the axis turns", () => {
    const step = 1e-4; // heights of the picture
    const [before, after] = [HOME, panned(HOME, step, 2 * step, IN_RING)].map((o) =>
      seen(o, IN_RING),
    );
    expect((after![0] - before![0]) * 2).toBeCloseTo(step, 7); // 2: it is twice as wide as high
    expect(after![1] - before![1]).toBeCloseTo(2 * step, 7);
  });

  it("moves a magnified picture exactly as far as the hand, all of it", () => {
    const near = { ...HOME, focal: 3 };
    for (const point of [[0, 0, 0] as const, [0.2, -0.1, 0.3] as const]) {
      const [before, after] = [near, panned(near, 0.2, -0.1, IN_SHELL)].map((o) =>
        seen(o, IN_SHELL, point),
      );
      expect((after![0] - before![0]) * 2).toBeCloseTo(0.2, 12);
      expect(after![1] - before![1]).toBeCloseTo(-0.1, 12);
    }
  });
});

describe("zoomed", () => {
  const zoom = (orbit: Orbit, factor: number, limits = IN_RING): Orbit =>
    zoomed(orbit, factor, HOME.focal, limits);

  it("comes closer first, and only then changes the focal length", () => {
    const closer = zoom(HOME, 1.25);
    expect(closer.radius).toBeCloseTo(2, 12);
    expect(closer.focal).toBeCloseTo(1.2, 12);
    const beyond = zoom(HOME, 2);
    expect(beyond.radius).toBe(1.5);
    expect(beyond.focal).toBeCloseTo((1.2 * 2) / (2.5 / 1.5), 12);
  });

  it.each([1.07, 1.4, 2.2, 1 / 1.07, 1 / 1.5, 1 / 2.2])("undoes itself (factor %f)", (factor) => {
    expect(distance(zoom(zoom(HOME, factor), 1 / factor), HOME)).toBeLessThan(1e-12);
    const place = [0.4, -0.2] as const;
    const there = zoomed(HOME, factor, HOME.focal, IN_RING, place);
    const back = zoomed(there, 1 / factor, HOME.focal, IN_RING, place);
    expect(distance(back, HOME)).toBeLessThan(1e-12);
  });

  it("still does something where all training cameras stood equally far away", () => {
    expect(zoom(HOME, 1.3, IN_SHELL).focal).toBeCloseTo(1.3 * HOME.focal, 12);
    expect(limited(zoom(HOME, 99, IN_SHELL), IN_SHELL).focal).toBe(6);
  });

  it("keeps in its place what is under the hand", () => {
    const place = [0.3, -0.2] as const; // heights, from where the camera looks, y up
    const near = zoomed(HOME, 2.5, HOME.focal, IN_SHELL, place);
    const [x, y] = aimOf(near).aside;
    expect(x).toBeCloseTo(0.3 / 1.2 - 0.3 / 3, 12); // the ray there: before = aside + place / f
    expect(y).toBeCloseTo(-0.2 / 1.2 + 0.2 / 3, 12);
    // A point that was seen there, however far away, still is.
    const { aside } = aimOf(HOME);
    expect(aside).toEqual([0, 0]);
    const [u, v] = [INTRINSICS[2] + 0.3 / 2, INTRINSICS[3] + 0.2];
    const axes = poseOf(HOME, IN_SHELL).T_norm_camera;
    const ray = [0, 1, 2].map(
      (i) => (0.3 / 1.2) * axes[4 * i]! - (0.2 / 1.2) * axes[4 * i + 1]! - axes[4 * i + 2]!,
    );
    const point = ray.map((d, i) => axes[4 * i + 3]! + 1.9 * d - RING.pivot[i]!);
    for (const orbit of [HOME, near]) {
      const [a, b] = seen(orbit, IN_SHELL, point as unknown as Vec3);
      expect(a).toBeCloseTo(u, 12);
      expect(b).toBeCloseTo(v, 12);
    }
  });

  it("moves nothing by a pull past its end", () => {
    const most = limited(zoom(HOME, 99, IN_SHELL), IN_SHELL);
    const pulled = zoomed(most, 1.2, HOME.focal, IN_SHELL, [0.4, 0.4]);
    expect(limited(pulled, IN_SHELL)).toEqual(most);
    const back = zoomed({ ...most, focal: 6.3 }, 6.1 / 6.3, HOME.focal, IN_SHELL, [0.4, 0.4]);
    expect(limited(back, IN_SHELL)).toEqual(most);
  });
});
