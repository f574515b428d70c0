/**
 * What a hand does to the camera, without limits: those come after (limits.ts).
 *
 * Places in the picture are (x, y) in heights of the picture, x to the right and y up, from where
 * the camera looks.
 */
import { aimed, aimOf, bandAt, isWhole, type Orbit } from "./camera";
import { clamp, type Limits, type Range, type Tangents } from "./framing";
import type { Envelope } from "./manifest";
import { facing, looksAround, stepped, turnedOnto } from "./room";
import type { Vec3 } from "./vector";

const PAST = 0.3; // radians past an arc's end, less than half of what an arc leaves out

/**
 * Turned about the pivot, or the head turned; however far the hand went past an arc's end, it is
 * that end. To the right and upwards: the camera goes there, or looks there.
 */
export function turned(
  orbit: Orbit,
  azimuth: number,
  elevation: number,
  { envelope }: Limits,
): Orbit {
  const [first, last] = envelope.azimuth;
  const sense = senseOf(envelope);
  const moved = orbit.azimuth + sense * azimuth;
  return {
    ...orbit,
    azimuth: isWhole(envelope) ? moved : clamp(moved, [first - PAST, last + PAST]),
    elevation: orbit.elevation + sense * elevation,
  };
}

/** Of angles that grow to the right and upwards: where one looks around, `back` goes the other way. */
export const senseOf = (envelope: Envelope): 1 | -1 => (looksAround(envelope) ? -1 : 1);

/** The picture moved by (x, y), in heights of the picture, x to the right and y downwards. */
export function panned(orbit: Orbit, x: number, y: number, { envelope }: Limits): Orbit {
  if (looksAround(envelope)) return stepped(orbit, x, y);
  const { aside, depth } = aimOf(orbit);
  return aimed(orbit, { aside: [aside[0] - x / orbit.focal, aside[1] + y / orbit.focal], depth });
}

const MIDDLE = [0, 0] as const;

/**
 * Things `factor` times as large; what is seen at `place` stays there.
 *
 * The camera comes closer as far as it may; only then the focal length grows, and it is the first
 * to come back to `home` (the focal length at the start), so that zooming in and out again ends
 * where it began.
 */
export function zoomed(
  orbit: Orbit,
  factor: number,
  home: number,
  { envelope, focal: focals }: Limits,
  place: readonly [number, number] = MIDDLE,
): Orbit {
  const towardsHome = (home - orbit.focal) * (factor - 1) > 0;
  const recovered = towardsHome
    ? clamp(orbit.focal * factor, ascending(orbit.focal, home))
    : orbit.focal;
  const left = (factor * orbit.focal) / recovered;
  const radius = clamp(orbit.radius / left, bandAt(orbit.azimuth, envelope).radius);
  const focal = recovered * (left / (orbit.radius / radius));
  const nearer = { ...orbit, radius, focal };
  if (place === MIDDLE) return nearer;
  if (looksAround(envelope)) {
    const seen = (f: number): Tangents => [
      place[0] / clamp(f, focals),
      place[1] / clamp(f, focals),
    ];
    const [x, y] = seen(orbit.focal);
    const larger = orbit.radius / radius;
    return turnedOnto(nearer, [larger * x, larger * y], seen(focal));
  }
  const { aside, depth } = aimOf(orbit);
  // What one height of the picture covers where it looks, before and after: past its end the focal
  // length comes back, and must not have moved anything.
  const [before, after] = [depth, Math.max(depth + radius - orbit.radius, 0.05 * radius)];
  const shift = before / clamp(orbit.focal, focals) - after / clamp(focal, focals);
  const across = [0, 1].map((i) => (aside[i]! * before + place[i]! * shift) / after);
  return aimed(nearer, { aside: across as [number, number], depth: after });
}

const ascending = (a: number, b: number): Range => [Math.min(a, b), Math.max(a, b)];

/** Looking at the point `offset` from the pivot. */
export const focused = (orbit: Orbit, offset: Vec3, { envelope }: Limits): Orbit =>
  looksAround(envelope) ? facing(orbit, offset, envelope) : { ...orbit, offset };
