/**
 * The orbit camera, as pure functions: no page, no time.
 *
 *     Orbit (what a hand changes) <-> Aim (how far aside it looks) <-> CameraPose (what the model takes)
 *
 * Frames as in teacher/cameras.py: OpenGL camera axes (+x right, +y up, -z forward), world +z up;
 * `T_norm_camera` is camera-to-norm, row-major. The camera stands at pivot + radius * (cos e cos a,
 * cos e sin a, sin e) and shows pivot + offset in its principal point's place. Angles are in
 * radians, lengths in norm units, `focal` is a fraction of the picture's height. Where cameras look
 * around, as in a room, room.ts has the formulas.
 */
import { type Axes, axesOf, direction, lookAt } from "./axes";
import { clamp, type Limits, type Range, splitAim, type Tangents } from "./framing";
import type { CameraPose, Envelope } from "./manifest";
import { looksAround, orbitAt, standing } from "./room";
import { add, dot, norm, normalise, scale, subtract, type Vec3 } from "./vector";

export interface Orbit {
  /**
   * Not wrapped: two turns to the left are 4 pi, so that moving between two orbits never goes the
   * long way.
   */
  readonly azimuth: number;
  readonly elevation: number;
  readonly radius: number;
  /**
   * The point looked at, relative to the pivot, in the norm frame's axes. Where cameras look around:
   * how far they stand aside, in their own axes (room.ts).
   */
  readonly offset: Vec3;
  readonly focal: number;
}

/** The point looked at, as the camera sees it that stands in the same place and looks at the pivot. */
export interface Aim {
  /** Where it lies aside, see framing.ts. */
  readonly aside: Tangents;
  /** How far it is along the axis, in norm units. */
  readonly depth: number;
}

const TURN = 2 * Math.PI;
const FULL_CIRCLE = TURN - 1e-3; // a span that was written as 2 pi survives its decimal digits
const NEAREST = 0.05; // of the radius: what is looked at stays before the camera by this

/** Whether cameras go all the way round. */
export const isWhole = ({ azimuth: [first, last] }: Envelope): boolean =>
  last - first >= FULL_CIRCLE;

/** `azimuth` as the same angle in the turn that is nearest to the envelope's arc. */
export function unwoundOnto(azimuth: number, { azimuth: [first, last] }: Envelope): number {
  const turns = Math.round((azimuth - (first + last) / 2) / TURN);
  return azimuth - turns * TURN;
}

/**
 * The ranges of elevation and radius at `azimuth`: everywhere the same, or those of the track
 * around a filmed path (`Envelope.band` in teacher/pseudo/envelope.py).
 */
export function bandAt(azimuth: number, envelope: Envelope): { elevation: Range; radius: Range } {
  const { elevation, radius, track = [], azimuth: arc } = envelope;
  if (track.length === 0) return { elevation, radius };
  const whole = isWhole(envelope);
  const turned = (whole ? azimuth : unwoundOnto(azimuth, envelope)) - arc[0];
  const share = turned / (arc[1] - arc[0]);
  const steps = whole ? track.length : Math.max(1, track.length - 1);
  const at = steps * (whole ? share - Math.floor(share) : clamp(share, [0, 1]));
  const k = Math.min(Math.floor(at), steps - 1);
  const before = track[k % track.length]!;
  const after = track[(k + 1) % track.length]!;
  const [low, high, near, far] = before.map((x, i) => x + (at - k) * (after[i]! - x));
  return { elevation: [low!, high!], radius: [near!, far!] };
}

/** Where the camera of `orbit` stands. */
export function positionOf(orbit: Orbit, pivot: Vec3): Vec3 {
  return add(pivot, scale(direction(orbit.azimuth, orbit.elevation), orbit.radius));
}

/** What `orbit` looks at, seen from where it stands. */
export function aimOf(orbit: Orbit): Aim {
  const { offset, radius } = orbit;
  const { right, up, back } = axesOf(orbit);
  const depth = Math.max(radius - dot(offset, back), NEAREST * radius);
  return { aside: [dot(offset, right) / depth, dot(offset, up) / depth], depth };
}

/** `orbit` from the same place, looking at what lies at `aim`. */
export function aimed(orbit: Orbit, { aside: [x, y], depth }: Aim): Orbit {
  const { right, up, back } = axesOf(orbit);
  const across = add(scale(right, x * depth), scale(up, y * depth));
  return { ...orbit, offset: add(across, scale(back, orbit.radius - depth)) };
}

/** The depth at which a point lies nearest to the pivot that is looked at by `aside`. */
export const nearestDepth = (radius: number, [x, y]: Tangents): number =>
  radius / (1 + x * x + y * y);

/** The camera as the model takes it: the axis turned as far as it may be, the rest cropped. */
export function poseOf(orbit: Orbit, limits: Limits): CameraPose {
  const { pivot } = limits.envelope;
  if (looksAround(limits.envelope)) {
    const { position, ...axes } = standing(orbit, limits.envelope);
    return assembled(position, axes, orbit.focal, [0, 0], limits);
  }
  const p = positionOf(orbit, pivot);
  const { crop, turn } = splitAim(aimOf(orbit).aside, orbit.focal, orbit.radius, limits);
  const axis = aimed(orbit, { aside: turn, depth: orbit.radius }).offset;
  return assembled(p, lookAt(p, add(pivot, axis)), orbit.focal, crop, limits);
}

function assembled(
  p: Vec3,
  { right: r, up: u, back: b }: Axes,
  focal: number,
  crop: Tangents,
  { lens: [fx, fy, cx, cy] }: Limits,
): CameraPose {
  const across = (fx / fy) * focal;
  const [x, y, z] = [0, 1, 2].map((i) => [r[i]!, u[i]!, b[i]!, p[i]!]) as unknown as readonly [
    Row,
    Row,
    Row,
  ];
  return {
    T_norm_camera: [...x, ...y, ...z, 0, 0, 0, 1],
    intrinsics: [across, focal, cx - across * crop[0], cy + focal * crop[1]],
  };
}

type Row = readonly [number, number, number, number];

/**
 * The orbit that comes closest to `pose`: the same position, optical axis and principal point,
 * without roll.
 *
 * Of all points that it could be said to look at, this one is nearest to the pivot.
 */
export function orbitOf(pose: CameraPose, { envelope, lens }: Limits): Orbit {
  const at = (row: number, column: number): number => pose.T_norm_camera[4 * row + column] ?? NaN;
  const place: Vec3 = [at(0, 3), at(1, 3), at(2, 3)];
  const back: Vec3 = [at(0, 2), at(1, 2), at(2, 2)];
  const [fx, focal, cx, cy] = pose.intrinsics;
  if (looksAround(envelope)) return orbitAt(place, back, focal, envelope);
  const arm = subtract(place, envelope.pivot);
  const standing: Orbit = {
    azimuth: Math.atan2(arm[1], arm[0]),
    elevation: Math.atan2(arm[2], Math.hypot(arm[0], arm[1])),
    radius: norm(arm),
    offset: [0, 0, 0],
    focal,
  };
  const axes = axesOf(standing);
  const along = Math.max(dot(back, axes.back), NEAREST); // a camera may look away from the pivot
  const aside: Tangents = [
    -dot(back, axes.right) / along + (lens[2] - cx) / fx,
    -dot(back, axes.up) / along + (cy - lens[3]) / focal,
  ];
  return aimed(standing, { aside, depth: nearestDepth(standing.radius, aside) });
}

/**
 * `orbit` with its azimuth written in the turn that is nearest to `azimuth`, where the envelope
 * goes all the way round.
 */
export function unwound(orbit: Orbit, azimuth: number, envelope: Envelope): Orbit {
  const turns = isWhole(envelope) ? Math.round((azimuth - orbit.azimuth) / TURN) : 0;
  return { ...orbit, azimuth: orbit.azimuth + turns * TURN };
}

/** `a` moved the fraction `t` of the way to `b`. */
export function blended(a: Orbit, b: Orbit, t: number): Orbit {
  const mix = (x: number, y: number): number => x + (y - x) * t;
  return {
    azimuth: mix(a.azimuth, b.azimuth),
    elevation: mix(a.elevation, b.elevation),
    radius: mix(a.radius, b.radius),
    offset: [0, 1, 2].map((i) => mix(a.offset[i]!, b.offset[i]!)) as unknown as Vec3,
    focal: mix(a.focal, b.focal),
  };
}

/** The largest change from `a` to `b`, in units in which a thousandth cannot be seen. */
export function distance(a: Orbit, b: Orbit): number {
  return Math.max(
    Math.abs(a.azimuth - b.azimuth),
    Math.abs(a.elevation - b.elevation),
    Math.abs(Math.log(a.radius / b.radius)),
    Math.abs(Math.log(a.focal / b.focal)),
    norm(subtract(a.offset, b.offset)) / b.radius,
  );
}

/** What a camera sees at (x, y), in fractions of its picture, `distance` away from it. */
export function pointAt(pose: CameraPose, x: number, y: number, distance: number): Vec3 {
  const [fx, fy, cx, cy] = pose.intrinsics;
  const ray = normalise([(x - cx) / fx, (cy - y) / fy, -1]);
  const T = pose.T_norm_camera;
  return [0, 4, 8].map(
    (row) => T[row + 3]! + distance * dot([T[row]!, T[row + 1]!, T[row + 2]!], ray),
  ) as unknown as Vec3;
}
