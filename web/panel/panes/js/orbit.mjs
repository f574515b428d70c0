/**
 * The camera that a hand turns around the pivot: pure. Angles in radians, as in teacher/pseudo/envelope.py.
 */
import { clamp } from "./view.mjs";

/** @typedef {{ readonly azimuth: number, readonly elevation: number, readonly radius: number }} Orbit */
/** @typedef {readonly [number, number]} Span */
/** @typedef {{ readonly azimuth: Span | null, readonly elevation: Span, readonly radius: Span | null, readonly around: boolean }} Reach */

const TURN = 2 * Math.PI;
const NEAREST = 1e-3; // where nothing else limits the radius

/** The same angle in (-pi, pi].
 * @type {(angle: number) => number} */
export function wrapped(angle) {
  const rest = angle - TURN * Math.floor(angle / TURN);
  return rest > Math.PI ? rest - TURN : rest;
}

/** `azimuth` inside an arc, at the end that is nearer the shorter way round; wrapped where there is no arc.
 * @type {(azimuth: number, arc: Span | null) => number} */
export function onArc(azimuth, arc) {
  if (arc === null || arc[1] - arc[0] >= TURN - 1e-9) return wrapped(azimuth);
  const middle = (arc[0] + arc[1]) / 2;
  return clamp(middle + wrapped(azimuth - middle), arc[0], arc[1]);
}

/** @type {(orbit: Orbit, reach: Reach) => Orbit} */
export const reached = ({ azimuth, elevation, radius }, reach) => ({
  azimuth: onArc(azimuth, reach.azimuth),
  elevation: clamp(elevation, reach.elevation[0], reach.elevation[1]),
  radius: Math.max(reach.radius === null ? radius : clamp(radius, ...reach.radius), NEAREST),
});

/** @type {(reach: Reach) => number} */
const sweep = ({ around }) => (around ? -Math.PI / 3 : Math.PI);

/**
 * The scene follows the hand by (dx, dy) heights of the picture: to the right means that the camera goes to the left,
 * or looks there. From edge to edge is half a turn, or a sixth where it looks around.
 * @type {(orbit: Orbit, dx: number, dy: number, reach: Reach) => Orbit}
 */
export const turned = (orbit, dx, dy, reach) =>
  reached(
    {
      ...orbit,
      azimuth: orbit.azimuth - sweep(reach) * dx,
      elevation: orbit.elevation + sweep(reach) * dy,
    },
    reach,
  );

/** Things get `factor` times as large.
 * @type {(orbit: Orbit, factor: number, reach: Reach) => Orbit} */
export const nearer = (orbit, factor, reach) =>
  reached({ ...orbit, radius: orbit.radius / factor }, reach);

/** @type {(a: Orbit, b: Orbit) => boolean} */
export const sameOrbit = (a, b) =>
  Math.abs(wrapped(a.azimuth - b.azimuth)) < 1e-6 &&
  Math.abs(a.elevation - b.elevation) < 1e-6 &&
  Math.abs(a.radius - b.radius) < 1e-6 * Math.max(a.radius, b.radius);
