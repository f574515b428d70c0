/**
 * The orbit camera, as pure functions: no page, no time.
 *
 *     Orbit (what a hand changes) <-> CameraPose (what the model takes), inside the Envelope
 *
 * Frames as in teacher/cameras.py: OpenGL camera axes (+x right, +y up, -z forward), world +z up;
 * `T_norm_camera` is camera-to-norm, row-major. The camera stands at pivot + radius * (cos e cos a,
 * cos e sin a, sin e) and looks at pivot + offset. Angles are in radians, lengths in norm units,
 * `focal` is a fraction of the picture's height.
 */
import type { CameraPose, Envelope } from "./manifest";
import { add, cross, dot, norm, normalise, scale, subtract, type Vec3 } from "./vector";

export interface Orbit {
  /**
   * Not wrapped: two turns to the left are 4 pi, so that moving between two orbits never goes the
   * long way.
   */
  readonly azimuth: number;
  readonly elevation: number;
  readonly radius: number;
  /** The point looked at, relative to the pivot; in the norm frame's axes. */
  readonly offset: Vec3;
  readonly focal: number;
}

/** Intrinsics as fractions: fx / width, fy / height, cx / width, cy / height. */
export type Intrinsics = CameraPose["intrinsics"];

const TURN = 2 * Math.PI;
const FULL_CIRCLE = TURN - 1e-3; // a span that was written as 2 pi survives its decimal digits

const clamp = (x: number, [low, high]: readonly [number, number]): number =>
  Math.min(Math.max(x, low), high);

/** Where the camera of `orbit` stands. */
export function positionOf(orbit: Orbit, pivot: Vec3): Vec3 {
  return add(pivot, scale(direction(orbit), orbit.radius));
}

/** Unit vector from the pivot to the camera. */
function direction({ azimuth, elevation }: Orbit): Vec3 {
  const across = Math.cos(elevation);
  return [across * Math.cos(azimuth), across * Math.sin(azimuth), Math.sin(elevation)];
}

/**
 * Right, up and back of a camera at `position` that looks at `target` with +z up
 * (teacher.cameras.look_at).
 */
export function lookAt(position: Vec3, target: Vec3): { right: Vec3; up: Vec3; back: Vec3 } {
  const back = normalise(subtract(position, target));
  const vertical = Math.hypot(back[0], back[1]) < 1e-4; // straight up or down, +y stands in for up
  const right = normalise(cross(vertical ? [0, 1, 0] : [0, 0, 1], back));
  return { right, up: cross(back, right), back };
}

/**
 * The camera as the model takes it; `start` gives the principal point and the pixels' aspect ratio.
 */
export function poseOf(orbit: Orbit, pivot: Vec3, start: Intrinsics): CameraPose {
  const p = positionOf(orbit, pivot);
  const { right: r, up: u, back: b } = lookAt(p, add(pivot, orbit.offset));
  const [fx, fy, cx, cy] = start;
  return {
    T_norm_camera: [
      r[0],
      u[0],
      b[0],
      p[0],
      r[1],
      u[1],
      b[1],
      p[1],
      r[2],
      u[2],
      b[2],
      p[2],
      0,
      0,
      0,
      1,
    ],
    intrinsics: [(fx / fy) * orbit.focal, orbit.focal, cx, cy],
  };
}

/**
 * The orbit that comes closest to `pose`: the same position and optical axis, without roll.
 *
 * The point looked at is the one of the optical axis that is nearest to the pivot.
 */
export function orbitOf(pose: CameraPose, pivot: Vec3): Orbit {
  const at = (row: number, column: number): number => pose.T_norm_camera[4 * row + column] ?? NaN;
  const position: Vec3 = [at(0, 3), at(1, 3), at(2, 3)];
  const back: Vec3 = [at(0, 2), at(1, 2), at(2, 2)];
  const arm = subtract(position, pivot);
  return {
    azimuth: Math.atan2(arm[1], arm[0]),
    elevation: Math.atan2(arm[2], Math.hypot(arm[0], arm[1])),
    radius: norm(arm),
    offset: subtract(arm, scale(back, dot(arm, back))),
    focal: pose.intrinsics[1],
  };
}

/** The nearest orbit inside `envelope`. */
export function limited(orbit: Orbit, envelope: Envelope): Orbit {
  const spread = norm(orbit.offset);
  const excess = spread > envelope.target_spread ? envelope.target_spread / spread : 1;
  return {
    azimuth: limitedAzimuth(orbit.azimuth, envelope.azimuth),
    elevation: clamp(orbit.elevation, envelope.elevation),
    radius: clamp(orbit.radius, envelope.radius),
    offset: scale(orbit.offset, excess),
    focal: clamp(orbit.focal, envelope.focal),
  };
}

function limitedAzimuth(azimuth: number, [first, last]: readonly [number, number]): number {
  if (last - first >= FULL_CIRCLE) return azimuth;
  const middle = (first + last) / 2;
  const turns = Math.round((azimuth - middle) / TURN); // the same angle, written next to the arc
  return clamp(azimuth - turns * TURN, [first, last]);
}

/** Turned about the pivot; on an arc, past its end is its end, however far the hand went. */
export function turned(
  orbit: Orbit,
  azimuth: number,
  elevation: number,
  envelope: Envelope,
): Orbit {
  const [first, last] = envelope.azimuth;
  const wide = last - first >= FULL_CIRCLE;
  const moved = orbit.azimuth + azimuth;
  return limited(
    {
      ...orbit,
      azimuth: wide ? moved : clamp(moved, envelope.azimuth),
      elevation: orbit.elevation + elevation,
    },
    envelope,
  );
}

/** The picture moved by (x, y), in heights of the picture, x to the right and y downwards. */
export function panned(orbit: Orbit, x: number, y: number, envelope: Envelope): Orbit {
  const { pivot } = envelope;
  const { right, up } = lookAt(positionOf(orbit, pivot), add(pivot, orbit.offset));
  const unit = orbit.radius / orbit.focal; // what one height of the picture covers at the pivot
  const shift = add(scale(right, -x * unit), scale(up, y * unit));
  return limited({ ...orbit, offset: add(orbit.offset, shift) }, envelope);
}

/**
 * Things `factor` times as large.
 *
 * The camera comes closer as far as it may; only then the focal length grows, and it is the first
 * to come back to `home` (the focal length at the start), so that zooming in and out again ends
 * where it began.
 */
export function zoomed(orbit: Orbit, factor: number, home: number, envelope: Envelope): Orbit {
  const towardsHome = (home - orbit.focal) * (factor - 1) > 0;
  const recovered = towardsHome
    ? clamp(orbit.focal * factor, ascending(orbit.focal, home))
    : orbit.focal;
  const left = (factor * orbit.focal) / recovered;
  const radius = clamp(orbit.radius / left, envelope.radius);
  const rest = left / (orbit.radius / radius);
  return limited({ ...orbit, radius, focal: recovered * rest }, envelope);
}

const ascending = (a: number, b: number): readonly [number, number] => [
  Math.min(a, b),
  Math.max(a, b),
];

/**
 * `orbit` with its azimuth written in the turn that is nearest to `azimuth`, where the envelope
 * goes all the way round.
 */
export function unwound(
  orbit: Orbit,
  azimuth: number,
  { azimuth: [first, last] }: Envelope,
): Orbit {
  const turns = last - first >= FULL_CIRCLE ? Math.round((azimuth - orbit.azimuth) / TURN) : 0;
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
