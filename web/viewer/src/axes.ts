/** Directions and camera axes with +z up, as in teacher/cameras.py and teacher/pseudo/envelope.py. */
import { cross, normalise, subtract, type Vec3 } from "./vector";

/** Right, up and back of a camera. */
export interface Axes {
  readonly right: Vec3;
  readonly up: Vec3;
  readonly back: Vec3;
}

/** In radians. */
export interface Angles {
  readonly azimuth: number;
  readonly elevation: number;
}

/** The unit vector at these angles, in radians. */
export function direction(azimuth: number, elevation: number): Vec3 {
  const across = Math.cos(elevation);
  return [across * Math.cos(azimuth), across * Math.sin(azimuth), Math.sin(elevation)];
}

/** Right, up and back of a camera whose back points that way. */
export const axesOf = ({ azimuth, elevation }: Angles): Axes =>
  lookAt(direction(azimuth, elevation), [0, 0, 0]);

/**
 * Right, up and back of a camera at `position` that looks at `target` with +z up
 * (teacher.cameras.look_at).
 */
export function lookAt(position: Vec3, target: Vec3): Axes {
  const back = normalise(subtract(position, target));
  const vertical = Math.hypot(back[0], back[1]) < 1e-4; // straight up or down, +y stands in for up
  const right = normalise(cross(vertical ? [0, 1, 0] : [0, 0, 1], back));
  return { right, up: cross(back, right), back };
}
