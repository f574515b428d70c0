import { describe, expect, it } from "vitest";

import { lookAt } from "../src/axes";
import type { CameraPose } from "../src/manifest";
import { between, Spline, type Timetable } from "../src/path_spline";
import type { Vec3 } from "../src/vector";
import { random } from "./orbits";

type Rotation = readonly (readonly number[])[];

const posed = (R: Rotation, [x, y, z]: Vec3, fx = 1): CameraPose => ({
  T_norm_camera: [...R[0]!, x, ...R[1]!, y, ...R[2]!, z, 0, 0, 0, 1],
  intrinsics: [fx, 1.5, 0.5, 0.5],
});
/** Turned about z by degrees. */
const turned = (degrees: number, at: Vec3 = [0, 0, 0]): CameraPose => {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return posed([[c, -s, 0], [s, c, 0], [0, 0, 1]], at); // prettier-ignore
};
/** On a level circle, looking at its centre. */
const circling = (degrees: number): CameraPose => {
  const angle = (degrees * Math.PI) / 180;
  const at: Vec3 = [3 * Math.cos(angle), 3 * Math.sin(angle), 1.5];
  const { right, up, back } = lookAt(at, [0, 0, 0]);
  return posed(
    [0, 1, 2].map((i) => [right[i]!, up[i]!, back[i]!]),
    at,
  );
};

function table(
  poses: readonly CameraPose[],
  closed: boolean,
  times?: readonly number[],
): Timetable {
  const at = times ?? poses.map((_, k) => k);
  return { poses, times: at, duration: at.at(-1)! + (closed ? 1 : 0), closed };
}

const apart = (a: CameraPose, b: CameraPose): number =>
  Math.max(
    ...a.T_norm_camera.map((x, i) => Math.abs(x - b.T_norm_camera[i]!)),
    ...a.intrinsics.map((x, i) => Math.abs(x - b.intrinsics[i]!)),
  );

/** Anywhere, turned anyhow. */
function* anyPoses(): Generator<CameraPose, never> {
  const next = random(3);
  const number = (): number => 4 * next.next().value - 2;
  for (;;) {
    const at: Vec3 = [number(), number(), number()];
    const { right, up, back } = lookAt(at, [number(), number(), number()]);
    const axes = [back, right, up]; // not upright
    yield posed(
      [0, 1, 2].map((i) => axes.map((axis) => axis[i]!)),
      at,
      1 + next.next().value,
    );
  }
}
const poses = anyPoses();
const some = (count: number): CameraPose[] =>
  Array.from({ length: count }, () => poses.next().value);

describe("Spline", () => {
  it.each([true, false])("passes through every camera (closed: %s)", (closed) => {
    for (let tries = 0; tries < 50; tries++) {
      const [given, times] = [some(5), [0, 0.5, 2, 2.25, 4]];
      const spline = new Spline(table(given, closed, times));
      times.forEach((t, k) => {
        expect(spline.at(t)).toBe(given[k]); // as it stands in the file
        const around = [t - 1e-7, t + 1e-7].filter((near) => near > 0 && (closed || near < 4));
        for (const near of around) expect(apart(spline.at(near), given[k]!)).toBeLessThan(1e-5);
      });
    }
  });

  it("keeps rotations rotations", () => {
    const spline = new Spline(table(some(5), false));
    for (let t = 0; t <= 4; t += 0.13) {
      const T = spline.at(t).T_norm_camera;
      for (const i of [0, 1, 2])
        for (const j of [0, 1, 2]) {
          const product = [0, 4, 8].reduce((sum, row) => sum + T[row + i]! * T[row + j]!, 0);
          expect(product).toBeCloseTo(i === j ? 1 : 0, 9);
        }
    }
  });

  it("turns the shorter way, whichever sign quaternions have got", () => {
    for (const [from, to, half] of [[170, 190, 180], [-10, 10, 0], [350, 10, 0], [100, 260, 180]]) {
      const spline = new Spline(table([turned(from!), turned(to!)], false));
      expect(apart(spline.at(0.5), turned(half!))).toBeLessThan(1e-9);
    } // prettier-ignore
  });

  it("is exact for parabolas, also where times are uneven", () => {
    const times = [0, 0.5, 2, 3, 3.5];
    const at = (t: number): CameraPose => turned(0, [t * t, 3 - t, 0]);
    const spline = new Spline(table(times.map(at), false, times));
    for (let t = 0.5; t <= 3; t += 0.1) expect(apart(spline.at(t), at(t))).toBeLessThan(1e-9);
  });

  it("stays on a circle of few cameras, level and looking at the middle, over the seam too", () => {
    const spline = new Spline(
      table(
        Array.from({ length: 24 }, (_, k) => circling(15 * k)),
        true,
      ),
    );
    for (let t = 0; t <= 24; t += 0.07)
      expect(apart(spline.at(t), circling(15 * t))).toBeLessThan(2e-3);
    expect(apart(spline.at(24), circling(0))).toBeLessThan(1e-9);
  });

  it.each([true, false])("has no corners (closed: %s)", (closed) => {
    const spline = new Spline(table(some(4), closed));
    const [h, end] = [1e-4, closed ? 4 : 3];
    const speed = (t: number): number[] => {
      const [a, b] = [spline.at(t), spline.at(t + h)];
      return a.T_norm_camera.map((x, i) => (b.T_norm_camera[i]! - x) / h);
    };
    const knots = closed ? [1, 2, 3, 4] : [1, 2];
    for (const knot of knots) {
      const [before, after] = [speed(knot - h), speed(knot % end)];
      before.forEach((x, i) => expect(Math.abs(x - after[i]!)).toBeLessThan(0.02));
    }
  });

  it("of one camera is that camera, and of two a straight line", () => {
    const [one, two] = [turned(20, [1, 2, 3]), turned(20, [3, 2, 1])];
    for (const closed of [true, false]) expect(new Spline(table([one], closed)).at(0)).toBe(one);
    expect(apart(new Spline(table([one, two], false)).at(0.5), turned(20, [2, 2, 2]))).toBeLessThan(
      1e-9,
    );
  });
});

describe("between", () => {
  it("goes from one camera to the other by the shorter turn", () => {
    const [a, b] = [turned(170, [0, 0, 0]), turned(190, [2, 0, 0])];
    expect(apart(between(a, b, 0), a)).toBeLessThan(1e-9);
    expect(apart(between(a, b, 1), b)).toBeLessThan(1e-9);
    expect(apart(between(a, b, 0.5), turned(180, [1, 0, 0]))).toBeLessThan(1e-9);
  });
});
