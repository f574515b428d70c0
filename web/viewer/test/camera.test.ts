import { describe, expect, it } from "vitest";

import {
  distance,
  limited,
  lookAt,
  type Orbit,
  orbitOf,
  panned,
  poseOf,
  turned,
  zoomed,
} from "../src/camera";
import type { CameraPose } from "../src/manifest";
import { add, cross, dot, norm, subtract, type Vec3 } from "../src/vector";
import { ARC, HOME, INTRINSICS, RING } from "./envelope";

const column = (pose: CameraPose, k: number): Vec3 => {
  const T = pose.T_norm_camera;
  return [T[k]!, T[4 + k]!, T[8 + k]!];
};

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

/**
 * Where a point of the norm frame appears: (u, v) as fractions of the picture, as
 * teacher.cameras.project.
 */
function project(pose: CameraPose, point: Vec3): [number, number] {
  const arm = subtract(point, column(pose, 3));
  const [x, y, z] = [0, 1, 2].map((k) => dot(column(pose, k), arm)) as [number, number, number];
  const [fx, fy, cx, cy] = pose.intrinsics;
  return [(fx * x) / -z + cx, (fy * -y) / -z + cy];
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
      const pose = poseOf(orbit, RING.pivot, INTRINSICS);
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
      const pose = poseOf(orbit, RING.pivot, INTRINSICS);
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
    const { intrinsics } = poseOf({ ...HOME, focal: 1.5 }, RING.pivot, INTRINSICS);
    expect(intrinsics).toEqual([0.75, 1.5, INTRINSICS[2], INTRINSICS[3]]);
  });
});

describe("orbitOf", () => {
  it("is poseOf's inverse on poses", () => {
    for (const orbit of orbits()) {
      const pose = poseOf(orbit, RING.pivot, INTRINSICS);
      const again = poseOf(orbitOf(pose, RING.pivot), RING.pivot, INTRINSICS);
      again.T_norm_camera.forEach((value, i) =>
        expect(value).toBeCloseTo(pose.T_norm_camera[i]!, 10),
      );
      again.intrinsics.forEach((value, i) => expect(value).toBeCloseTo(pose.intrinsics[i]!, 12));
    }
  });

  it("takes the roll out and keeps position and optical axis", () => {
    const pose = poseOf(HOME, RING.pivot, INTRINSICS);
    const [x, y] = [column(pose, 0), column(pose, 1)];
    const rolled = [...pose.T_norm_camera];
    for (const i of [0, 1, 2]) {
      rolled[4 * i] = 0.8 * x[i]! + 0.6 * y[i]!;
      rolled[4 * i + 1] = 0.8 * y[i]! - 0.6 * x[i]!;
    }
    const level = poseOf(
      orbitOf({ ...pose, T_norm_camera: rolled }, RING.pivot),
      RING.pivot,
      INTRINSICS,
    );
    level.T_norm_camera.forEach((value, i) =>
      expect(value).toBeCloseTo(pose.T_norm_camera[i]!, 12),
    );
  });
});

describe("limited", () => {
  it("leaves an orbit inside the envelope alone", () => {
    for (const orbit of orbits()) expect(distance(limited(orbit, RING), orbit)).toBe(0);
  });

  it("brings every coordinate to its nearest bound", () => {
    const far = limited(
      { azimuth: 9, elevation: 2, radius: 99, offset: [3, 0, 4], focal: 9 },
      RING,
    );
    expect(far).toEqual({
      azimuth: 9,
      elevation: 1.2,
      radius: 4,
      offset: [3 * 0.08, 0, 4 * 0.08],
      focal: 2,
    });
    const near = limited(
      { azimuth: -9, elevation: -2, radius: 0, offset: [0, 0, 0], focal: 0 },
      RING,
    );
    expect(near).toEqual({
      azimuth: -9,
      elevation: -0.2,
      radius: 1.5,
      offset: [0, 0, 0],
      focal: 0.8,
    });
  });

  it("finds an angle on the arc however it is written", () => {
    for (const turns of [-2, -1, 0, 1]) {
      const written = limited({ ...HOME, azimuth: 3.9 + turns * 2 * Math.PI }, ARC);
      expect(written.azimuth).toBeCloseTo(3.9, 12);
    }
    expect(limited({ ...HOME, azimuth: 4.5 }, ARC).azimuth).toBe(4.1); // nearer to the last angle
    expect(limited({ ...HOME, azimuth: 2.1 }, ARC).azimuth).toBe(2.5); // nearer to the first
  });
});

describe("turned", () => {
  it("stops at an arc's end and does not come out at the other one", () => {
    const inside = limited({ ...HOME, azimuth: 3 }, ARC);
    expect(turned(inside, 50, 0, ARC).azimuth).toBe(4.1);
    expect(turned(inside, -50, 0, ARC).azimuth).toBe(2.5);
  });

  it("goes all the way round where the envelope does", () => {
    const pose = poseOf(turned(HOME, 2 * Math.PI, 0, RING), RING.pivot, INTRINSICS);
    const before = poseOf(HOME, RING.pivot, INTRINSICS);
    pose.T_norm_camera.forEach((value, i) =>
      expect(value).toBeCloseTo(before.T_norm_camera[i]!, 12),
    );
  });
});

describe("panned", () => {
  it("moves the picture by what was asked, to first order", () => {
    const step = 1e-4; // heights of the picture
    const pivot = (orbit: Orbit): [number, number] =>
      project(poseOf(orbit, RING.pivot, INTRINSICS), RING.pivot);
    const before = pivot(HOME);
    const after = pivot(panned(HOME, step, 2 * step, RING));
    expect((after[0] - before[0]) * 2).toBeCloseTo(step, 7); // 2: it is twice as wide as high
    expect(after[1] - before[1]).toBeCloseTo(2 * step, 7);
  });

  it("ends at the spread's edge", () => {
    expect(norm(panned(HOME, 50, 20, RING).offset)).toBeCloseTo(RING.target_spread, 12);
  });
});

describe("zoomed", () => {
  it("comes closer first, and only then changes the focal length", () => {
    const closer = zoomed(HOME, 1.25, 1.2, RING);
    expect(closer.radius).toBeCloseTo(2, 12);
    expect(closer.focal).toBeCloseTo(1.2, 12);
    const beyond = zoomed(HOME, 2, 1.2, RING);
    expect(beyond.radius).toBe(1.5);
    expect(beyond.focal).toBeCloseTo((1.2 * 2) / (2.5 / 1.5), 12);
  });

  it.each([1.07, 1.4, 2.2, 1 / 1.07, 1 / 1.5, 1 / 2.2])("undoes itself (factor %f)", (factor) => {
    const there = zoomed(HOME, factor, HOME.focal, RING);
    expect(distance(zoomed(there, 1 / factor, HOME.focal, RING), HOME)).toBeLessThan(1e-12);
  });

  it("stays inside the envelope", () => {
    for (const factor of [1e-3, 1e3]) {
      const orbit = zoomed(HOME, factor, HOME.focal, RING);
      expect(limited(orbit, RING)).toEqual(orbit);
    }
  });

  it("still does something where all training cameras stood equally far away", () => {
    const sphere = { ...RING, radius: [2.5, 2.5] as const };
    expect(zoomed(HOME, 1.3, HOME.focal, sphere).focal).toBeCloseTo(1.3 * HOME.focal, 12);
  });
});
