import { describe, expect, it } from "vitest";

import { lookAt } from "../src/axes";
import { distance, type Orbit, orbitOf, pointAt, poseOf } from "../src/camera";
import { add, cross, norm, scale, subtract, type Vec3 } from "../src/vector";
import { HOME, IN_RING, IN_SHELL, INTRINSICS, RING } from "./envelope";
import { column, project } from "./project";

/** Orbits all over the ring, with the point looked at anywhere inside the spread. */
function* orbits(): Generator<Orbit> {
  for (let k = 0; k < 40; k++) {
    const offset: Vec3 = [0.2 * Math.sin(k), 0.2 * Math.cos(3 * k), 0.2 * Math.sin(2 * k)];
    yield {
      azimuth: -3 + 0.15 * k,
      elevation: -0.2 + 0.035 * k,
      radius: 1.5 + 0.06 * k,
      offset,
      focal: 0.8 + 0.03 * k,
    };
  }
}

describe("lookAt", () => {
  // Computed with teacher.cameras.look_at.
  it.each([
    [
      [2, -1.5, 0.8],
      [0.1, 0.2, -0.3],
      [
        0.6667948, -0.2952313, 0.6842683, 2, 0.7452413, 0.2641543, -0.6122401, -1.5, 0, 0.9181835,
        0.3961554, 0.8,
      ],
    ],
    [
      [-0.4, 3, 2],
      [0, 0, 0],
      [
        -0.9912279, 0.0728642, -0.1102636, -0.4, -0.1321637, -0.5464816, 0.8269768, 3, 0, 0.8342953,
        0.5513178, 2,
      ],
    ],
    [
      [0.3, 0.2, 4],
      [0.3, 0.2, 0.5],
      [1, 0, 0, 0.3, 0, 1, 0, 0.2, 0, 0, 1, 4],
    ],
  ] as [Vec3, Vec3, number[]][])(
    "agrees with Python for %j -> %j",
    (position, target, expected) => {
      const { right, up, back } = lookAt(position, target);
      const rows = [0, 1, 2].flatMap((i) => [right[i]!, up[i]!, back[i]!, position[i]!]);
      rows.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 6));
    },
  );
});

describe("poseOf", () => {
  it("gives right-handed orthonormal axes without roll", () => {
    for (const orbit of orbits()) {
      const pose = poseOf(orbit, IN_RING);
      const [x, y, z] = [column(pose, 0), column(pose, 1), column(pose, 2)];
      for (const axis of [x, y, z]) expect(norm(axis)).toBeCloseTo(1, 12);
      expect(norm(subtract(cross(x, y), z))).toBeLessThan(1e-12);
      expect(x[2]).toBeCloseTo(0, 12); // the horizon is level
      expect(y[2]).toBeGreaterThan(0);
      expect(pose.T_norm_camera.slice(12)).toEqual([0, 0, 0, 1]);
    }
  });

  it("stands at the envelope's formula and sees its target in the principal point", () => {
    for (const orbit of orbits()) {
      const pose = poseOf(orbit, IN_RING);
      const { azimuth: a, elevation: e, radius: r } = orbit;
      const arm: Vec3 = [
        r * Math.cos(e) * Math.cos(a),
        r * Math.cos(e) * Math.sin(a),
        r * Math.sin(e),
      ];
      expect(norm(subtract(column(pose, 3), add(RING.pivot, arm)))).toBeLessThan(1e-12);
      const [u, v] = project(pose, add(RING.pivot, orbit.offset));
      expect(u).toBeCloseTo(INTRINSICS[2], 12);
      expect(v).toBeCloseTo(INTRINSICS[3], 12);
    }
  });

  it("keeps pixels square and the principal point at every focal length", () => {
    const { intrinsics } = poseOf({ ...HOME, focal: 1.5 }, IN_RING);
    expect(intrinsics).toEqual([0.75, 1.5, INTRINSICS[2], INTRINSICS[3]]);
  });
});

describe("orbitOf", () => {
  it("is poseOf's inverse on poses", () => {
    for (const orbit of orbits()) {
      const pose = poseOf(orbit, IN_RING);
      const again = poseOf(orbitOf(pose, IN_RING), IN_RING);
      again.T_norm_camera.forEach((value, i) =>
        expect(value).toBeCloseTo(pose.T_norm_camera[i]!, 10),
      );
      again.intrinsics.forEach((value, i) => expect(value).toBeCloseTo(pose.intrinsics[i]!, 12));
    }
  });

  it("takes the roll out and keeps position and optical axis", () => {
    const pose = poseOf(HOME, IN_RING);
    const [x, y] = [column(pose, 0), column(pose, 1)];
    const rolled = [...pose.T_norm_camera];
    for (const i of [0, 1, 2]) {
      rolled[4 * i] = 0.8 * x[i]! + 0.6 * y[i]!;
      rolled[4 * i + 1] = 0.8 * y[i]! - 0.6 * x[i]!;
    }
    const level = poseOf(orbitOf({ ...pose, T_norm_camera: rolled }, IN_RING), IN_RING);
    level.T_norm_camera.forEach((value, i) =>
      expect(value).toBeCloseTo(pose.T_norm_camera[i]!, 12),
    );
  });

  it("is poseOf's inverse where the picture is magnified and moved aside, too", () => {
    const orbit: Orbit = { ...HOME, focal: 3, offset: [0.3, 0.1, -0.4] };
    for (const limits of [IN_RING, IN_SHELL]) {
      const pose = poseOf(orbit, limits);
      const again = poseOf(orbitOf(pose, limits), limits);
      again.T_norm_camera.forEach((x, i) => expect(x).toBeCloseTo(pose.T_norm_camera[i]!, 10));
      again.intrinsics.forEach((x, i) => expect(x).toBeCloseTo(pose.intrinsics[i]!, 10));
    }
  });
});

describe("pointAt", () => {
  it("is the point that is seen there, that far away", () => {
    const pose = poseOf({ ...HOME, offset: [0.1, 0.2, -0.1] }, IN_RING);
    for (const [x, y] of [
      [0.5, 0.5],
      [0.1, 0.9],
      [1, 0],
    ] as const) {
      const point = pointAt(pose, x, y, 1.7);
      expect(norm(subtract(point, column(pose, 3)))).toBeCloseTo(1.7, 12);
      const [u, v] = project(pose, point);
      expect(u).toBeCloseTo(x, 12);
      expect(v).toBeCloseTo(y, 12);
    }
  });

  it("is straight ahead in the principal point", () => {
    const pose = poseOf(HOME, IN_RING);
    const ahead = add(column(pose, 3), scale(column(pose, 2), -0.6));
    expect(norm(subtract(pointAt(pose, INTRINSICS[2], INTRINSICS[3], 0.6), ahead))).toBeLessThan(
      1e-12,
    );
  });
});

describe("distance", () => {
  it("is none from an orbit to itself", () => {
    for (const orbit of orbits()) expect(distance(orbit, orbit)).toBe(0);
  });
});
