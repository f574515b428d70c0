/**
 * The camera that looks around, as in a room, where the envelope has an outlook: no page, no time.
 *
 *     position = pivot + right * x + up * y + back * (radius - outlook)      offset = (x, y, 0)
 *
 * Azimuth and elevation say which way `back` points. The camera stands a little beside the line
 * through the pivot, within a disc as wide as the envelope's spread, and in front of the pivot or
 * behind it; its radius is its distance from what is taken to be seen, `outlook` ahead of the
 * pivot. When it turns, it goes round the pivot as a head on a neck.
 *
 * What a hand does, camera.ts, moves.ts and limits.ts say for both kinds, and ask here for this one.
 */
import { type Axes, axesOf, lookAt } from "./axes";
import type { Orbit } from "./camera";
import type { Range, Tangents } from "./framing";
import type { Envelope } from "./manifest";
import { add, dot, scale, subtract, type Vec3 } from "./vector";

const NEAREST = 0.02; // of the outlook: what is seen stays before the camera by this

/** Whether cameras look around, and do not orbit the pivot. */
export const looksAround = ({ outlook = 0 }: Envelope): boolean => outlook > 0;

/** Where the camera of `orbit` stands, and how it is turned. */
export function standing(
  orbit: Orbit,
  { pivot, outlook = 0 }: Envelope,
): Axes & { readonly position: Vec3 } {
  const axes = axesOf(orbit);
  const [x, y] = orbit.offset;
  const beside = add(scale(axes.right, x), scale(axes.up, y));
  const arm = add(beside, scale(axes.back, orbit.radius - outlook));
  return { ...axes, position: add(pivot, arm) };
}

/** The orbit of the camera that stands at `position` and looks against `back`; `standing`'s inverse. */
export function orbitAt(
  position: Vec3,
  back: Vec3,
  focal: number,
  { pivot, outlook = 0 }: Envelope,
): Orbit {
  const angles = {
    azimuth: Math.atan2(back[1], back[0]),
    elevation: Math.atan2(back[2], Math.hypot(back[0], back[1])),
  };
  const axes = axesOf(angles);
  const arm = subtract(position, pivot);
  return {
    ...angles,
    radius: Math.max(outlook + dot(arm, axes.back), NEAREST * outlook),
    offset: [dot(arm, axes.right), dot(arm, axes.up), 0],
    focal,
  };
}

/** The camera stepped aside, so that what lies at its radius moves by (x, y): x to the right, y down. */
export function stepped(orbit: Orbit, x: number, y: number): Orbit {
  const height = orbit.radius / orbit.focal;
  const [right, up] = orbit.offset;
  return { ...orbit, offset: [right - x * height, up + y * height, 0] };
}

/** Turned so that the direction `from`, in front of the camera as it is, comes to be at `to`. */
export function turnedOnto(orbit: Orbit, [a, b]: Tangents, to: Tangents): Orbit {
  const e = orbit.elevation;
  const rise = (b * Math.cos(e) - Math.sin(e)) / Math.hypot(1, a, b);
  const upright = (rise * Math.hypot(1, ...to)) / Math.hypot(1, to[1]);
  const elevation = Math.atan(to[1]) - Math.asin(Math.min(Math.max(upright, -1), 1));
  const heading = ([x, y]: Tangents, at: number): number =>
    Math.atan2(x, y * Math.sin(at) + Math.cos(at));
  const azimuth = orbit.azimuth + heading(to, elevation) - heading([a, b], e);
  return { ...orbit, azimuth, elevation };
}

/** Looking at `point` (from the pivot) from the same place. */
export function facing(orbit: Orbit, point: Vec3, envelope: Envelope): Orbit {
  const { position } = standing(orbit, envelope);
  const { back } = lookAt(position, add(envelope.pivot, point));
  return orbitAt(position, back, orbit.focal, envelope);
}

/** No farther aside than the envelope's spread, `give` says by how much more; itself where it is nearer. */
export function besideAtMost(
  orbit: Orbit,
  { target_spread: most }: Envelope,
  give: (beyond: number) => number,
): Orbit {
  const [x, y, z] = orbit.offset;
  const far = Math.hypot(x, y);
  if (far <= most && z === 0) return orbit;
  const share = far <= most ? 1 : (most + give(far - most)) / far;
  return { ...orbit, offset: [share * x, share * y, 0] };
}

/** The distances that matter, seen from a camera at `position`: from the lens to as far behind as before. */
export function depthsFrom(position: Vec3, back: Vec3, { pivot, outlook = 0 }: Envelope): Range {
  return [0, 2 * Math.max(outlook + dot(subtract(position, pivot), back), NEAREST * outlook)];
}
