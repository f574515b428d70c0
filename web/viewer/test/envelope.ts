/**
 * An envelope and a start camera that are off-centre and not square, so that nothing fits by
 * accident.
 */
import { poseOf } from "../src/camera";
import type { Limits } from "../src/framing";
import type { Envelope } from "../src/manifest";

export const RING: Envelope = {
  pivot: [0.2, -0.1, 0.3],
  radius: [1.5, 4],
  azimuth: [-Math.PI, Math.PI],
  elevation: [-0.2, 1.2],
  target_spread: 0.4,
  focal: [0.8, 2],
};

export const ARC: Envelope = { ...RING, azimuth: [2.5, 4.1] };

/** A filmed path's: low and near on one side, high and far on the other. */
export const TRACK: Envelope["track"] = [
  [-0.2, 0.1, 1.5, 2],
  [0.3, 0.5, 2, 3],
  [0.8, 1.2, 3, 4],
  [0.1, 0.6, 2, 3.5],
];

/** A room's: the camera stands up to 0.5 before the pivot and 0.4 behind it, and up to 0.1 beside. */
export const ROOM: Envelope = {
  ...RING,
  radius: [0.7, 1.6],
  elevation: [-0.3, 0.4],
  target_spread: 0.1,
  outlook: 1.2,
};

/** fx / width, fy / height, cx / width, cy / height of a 2:1 picture. */
export const INTRINSICS = [0.6, 1.2, 0.48, 0.53] as const;

export const HOME = {
  azimuth: 0.7,
  elevation: 0.4,
  radius: 2.5,
  offset: [0, 0, 0],
  focal: 1.2,
} as const;

/** Things may be drawn three times as large as in training. */
const limits = (envelope: Envelope): Limits => ({ envelope, focal: [0.8, 6], lens: INTRINSICS });
export const IN_RING = limits(RING);
export const IN_ARC = limits(ARC);
export const IN_TRACK = limits({ ...RING, track: TRACK });
export const IN_ARC_TRACK = limits({ ...ARC, track: TRACK });
export const IN_ROOM = limits(ROOM);
export const IN_BAY = limits({ ...ROOM, azimuth: [2.5, 4.1] });
/** As a synthetic capture has it: all cameras on one sphere, looking at one point. */
export const IN_SHELL = limits({ ...RING, radius: [2.5, 2.5], target_spread: 0 });

export const START = poseOf(HOME, IN_RING);
