/** Where things appear: the check on camera.ts, in its own words. */
import type { CameraPose } from "../src/manifest";
import { dot, subtract, type Vec3 } from "../src/vector";

/** A column of T_norm_camera: right, up, back or position. */
export const column = (pose: CameraPose, k: number): Vec3 => {
  const T = pose.T_norm_camera;
  return [T[k]!, T[4 + k]!, T[8 + k]!];
};

/**
 * Where a point of the norm frame appears: (u, v) as fractions of the picture, as
 * teacher.cameras.project.
 */
export function project(pose: CameraPose, point: Vec3): [number, number] {
  const arm = subtract(point, column(pose, 3));
  const [x, y, z] = [0, 1, 2].map((k) => dot(column(pose, k), arm)) as [number, number, number];
  const [fx, fy, cx, cy] = pose.intrinsics;
  return [(fx * x) / -z + cx, (fy * -y) / -z + cy];
}
