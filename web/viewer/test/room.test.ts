import { describe, expect, it } from "vitest";

import { type Orbit, orbitOf, poseOf } from "../src/camera";
import { depthRange } from "../src/depth_view";
import { clamp } from "../src/framing";
import { limited } from "../src/limits";
import { Motion } from "../src/motion";
import { focused, panned, turned, zoomed } from "../src/moves";
import { besideAtMost } from "../src/room";
import { parseManifest } from "../src/scene";
import { add, dot, norm, scale, subtract, type Vec3 } from "../src/vector";
import { IN_BAY, IN_ROOM, INTRINSICS, ROOM } from "./envelope";
import { MANIFEST } from "./manifests";
import { anywhere } from "./orbits";
import { column, project } from "./project";

/** Inside the room, off the line through the pivot. */
const HERE: Orbit = {
  azimuth: 0.7,
  elevation: 0.2,
  radius: 0.8,
  offset: [0.05, -0.03, 0],
  focal: 1.2,
};

/** What the camera of `orbit` sees in its principal point, `far` away, and at (x, y) heights from there. */
function pointOf(orbit: Orbit, far: number, x = 0, y = 0): Vec3 {
  const pose = poseOf(orbit, IN_ROOM);
  const [right, up, back, place] = [0, 1, 2, 3].map((k) => column(pose, k)) as [
    Vec3,
    Vec3,
    Vec3,
    Vec3,
  ];
  const ray = add(add(scale(right, x / orbit.focal), scale(up, y / orbit.focal)), scale(back, -1));
  return add(place, scale(ray, far));
}

/** Where it sees `point`: heights from the principal point, y up. */
function seen(orbit: Orbit, point: Vec3): [number, number] {
  const [u, v] = project(poseOf(orbit, IN_ROOM), point);
  return [2 * (u - INTRINSICS[2]), INTRINSICS[3] - v]; // the picture is 2:1
}

describe("a camera that looks around", () => {
  // Computed with teacher.pseudo.envelope.Envelope.pose.
  it.each([
    [
      [0.7, 0.2, 0.8],
      [
        -0.6442177, -0.1519507, 0.7495962, -0.0998385, 0.7648422, -0.1279863, 0.6313762, -0.3525505,
        0, 0.9800666, 0.1986693, 0.2205323, 0, 0, 0, 1,
      ],
    ],
    [
      [-2.1, -0.3, 1.5],
      [
        0.8632094, -0.1491922, -0.4822979, 0.0553106, -0.5048461, -0.2550958, -0.8246554,
        -0.3473966, 0, 0.9553365, -0.2955202, 0.2113439, 0, 0, 0, 1,
      ],
    ],
  ] as const)("stands where Python has it at %j", ([azimuth, elevation, radius], expected) => {
    const orbit: Orbit = { azimuth, elevation, radius, offset: [0, 0, 0], focal: 1.2 };
    const pose = poseOf(orbit, IN_ROOM);
    pose.T_norm_camera.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 6));
    expect(pose.intrinsics).toEqual(INTRINSICS);
  });

  it("is found again from its pose, beside the line through the pivot too", () => {
    for (const orbit of anywhere(60)) {
      const inside = limited(orbit, IN_ROOM);
      const again = orbitOf(poseOf(inside, IN_ROOM), IN_ROOM);
      expect(Math.sin((again.azimuth - inside.azimuth) / 2)).toBeCloseTo(0, 9);
      expect(again.elevation).toBeCloseTo(inside.elevation, 9);
      expect(again.radius).toBeCloseTo(inside.radius, 9);
      inside.offset.forEach((x, i) => expect(again.offset[i]).toBeCloseTo(x, 9));
      expect(again.focal).toBeCloseTo(inside.focal, 12);
    }
  });

  it("stays within a disc across the line through the pivot", () => {
    const far = limited({ ...HERE, offset: [0.3, -0.4, 0] }, IN_ROOM);
    expect(far.offset).toEqual([expect.closeTo(0.06), expect.closeTo(-0.08), 0]);
    expect(limited(HERE, IN_ROOM)).toEqual(HERE);
    expect(besideAtMost(HERE, ROOM, () => 1)).toBe(HERE);
  });
});

describe("a hand in a room", () => {
  it("takes along what it drags, by a turn of the head", () => {
    const motion = new Motion(HERE, HERE, IN_ROOM, true);
    const point = pointOf(HERE, 1e6);
    const [dx, dy] = [0.02, -0.01];
    motion.turn(-motion.sweep * dx, motion.sweep * dy); // as gesture.ts: y is down there
    motion.step(1);
    const [x, y] = seen(motion.shown, point);
    expect(x).toBeCloseTo(dx * Math.cos(HERE.elevation), 3);
    expect(y).toBeCloseTo(-dy, 3);
  });

  it("looks to the right and up for keys that point there", () => {
    const forward = (orbit: Orbit): Vec3 => scale(column(poseOf(orbit, IN_ROOM), 2), -1);
    const right = column(poseOf(HERE, IN_ROOM), 0);
    expect(dot(forward(turned(HERE, 0.1, 0, IN_ROOM)), right)).toBeGreaterThan(0.09);
    expect(forward(turned(HERE, 0, 0.1, IN_ROOM))[2]).toBeGreaterThan(forward(HERE)[2] + 0.09);
  });

  it("comes to the ends of a bay, and no farther", () => {
    const bay: Orbit = { ...HERE, azimuth: 3 };
    expect(limited(turned(bay, -9, 0, IN_BAY), IN_BAY).azimuth).toBe(4.1);
    expect(limited(turned(bay, 9, 0, IN_BAY), IN_BAY).azimuth).toBe(2.5);
  });

  it("moves what is at the radius with the picture", () => {
    const [near, far] = [pointOf(HERE, HERE.radius), pointOf(HERE, 1e6)];
    const moved = panned(HERE, 0.03, 0.02, IN_ROOM);
    expect(seen(moved, near)[0]).toBeCloseTo(0.03, 12);
    expect(seen(moved, near)[1]).toBeCloseTo(-0.02, 12);
    expect(norm([...seen(moved, far), 0])).toBeLessThan(1e-5); // parallax: the horizon stays
  });

  it.each([1.1, 2.5, 1 / 1.1])("keeps in its place what is under it (factor %f)", (factor) => {
    const place = [0.4, -0.25] as const;
    const turns: Orbit = { ...HERE, offset: [0, 0, 0] };
    const after = zoomed(turns, factor, 1.2, IN_ROOM, place);
    const from = { ...after, azimuth: turns.azimuth, elevation: turns.elevation };
    const point = pointOf(turns, turns.radius, ...place);
    const place2 = seen(from, point);
    expect(norm([place2[0] - place[0], place2[1] - place[1], 0])).toBeGreaterThan(0.01);
    // Exact but for how far the head's turn swings the camera about the pivot.
    const [x, y] = seen(after, point);
    const swing = norm(
      subtract(column(poseOf(after, IN_ROOM), 3), column(poseOf(from, IN_ROOM), 3)),
    );
    const within = (1.3 * swing * after.focal) / after.radius + 1e-9;
    expect(Math.abs(x - place[0])).toBeLessThan(within);
    expect(Math.abs(y - place[1])).toBeLessThan(within);
    expect(after.radius).toBeCloseTo(clamp(turns.radius / factor, ROOM.radius), 12);
  });

  it("keeps it exactly where the camera stands on the pivot", () => {
    const place = [0.4, -0.25] as const;
    const pivot: Orbit = { ...HERE, radius: 1.2, offset: [0, 0, 0] };
    const fixed = { ...IN_ROOM, envelope: { ...ROOM, radius: [1.2, 1.2] as const } };
    const point = pointOf(pivot, 3, ...place);
    const [x, y] = seen(zoomed(pivot, 1.8, 1.2, fixed, place), point);
    expect(x).toBeCloseTo(place[0], 12);
    expect(y).toBeCloseTo(place[1], 12);
  });

  it("looks at what it has tapped on, from where it stands", () => {
    const point = pointOf(HERE, 2, 0.2, 0.15);
    const there = focused(HERE, subtract(point, ROOM.pivot), IN_ROOM);
    const [x, y] = seen(there, point);
    expect([x, y]).toEqual([expect.closeTo(0, 9), expect.closeTo(0, 9)]);
    const places = [HERE, there].map((orbit) => column(poseOf(orbit, IN_ROOM), 3));
    expect(norm(subtract(places[0]!, places[1]!))).toBeLessThan(1e-9);
  });
});

describe("depth in a room", () => {
  it("goes from the lens to as far behind what is seen as before it", () => {
    const range = depthRange(poseOf(HERE, IN_ROOM), ROOM);
    expect(range).toEqual([0, expect.closeTo(1.6, 12)]);
  });
});

describe("a manifest's outlook", () => {
  const written = (outlook: unknown): string =>
    JSON.stringify({ ...MANIFEST, envelope: { ...MANIFEST.envelope, outlook } });

  it("is a number, or missing", () => {
    expect(parseManifest(written(1.2)).envelope.outlook).toBe(1.2);
    expect(parseManifest(written(undefined)).envelope.outlook).toBeUndefined();
    expect(() => parseManifest(written("far"))).toThrow(/envelope/);
  });
});
