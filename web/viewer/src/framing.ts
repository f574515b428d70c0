/**
 * How far aside the camera may look from where it stands: only where the rays are trained ones.
 *
 *     aim = crop + turn        crop: in a box (`room`), turn: in a disc (`reach`)
 *
 * Directions are tangents (x, y): where a ray meets the plane at distance 1 before the camera that
 * stands where this one does and looks at the pivot; x to the right, y up.
 *
 * The student is trained for optical axes that pass the pivot within the envelope's spread s. Seen
 * from a distance r, those are turned by tangents up to reach = s / sqrt(r^2 - s^2).
 *
 * It is trained for focal lengths from f0 on, in heights of the picture. With its principal point
 * in the middle, a picture of focal length f shows the heights from -1/(2 f) to 1/(2 f) of the
 * plane. Shown f > f0 in place of f0, that is a part of the trained picture, and it stays one if it
 * is moved up or down by no more than
 *
 *     room = 1/(2 f0) - 1/(2 f)
 *
 * (and by as much times the aspect ratio to the sides). A part of a picture is what a camera with
 * the same axis and another principal point sees: each of its rays is a ray of the trained picture,
 * nothing rolls, nothing is distorted. So magnifying and moving what is magnified asks nothing of
 * the student that it has not learnt, however far the cameras' own axes reach.
 *
 * Where the principal point is at the fraction c of the picture instead of 1/2, the room is
 * -c (1/f0 - 1/f) to (1 - c) (1/f0 - 1/f).
 */
import type { CameraPose, Envelope, Manifest } from "./manifest";

export type Tangents = readonly [number, number];
export type Range = readonly [number, number];

/** Intrinsics as fractions: fx / width, fy / height, cx / width, cy / height. */
export type Intrinsics = CameraPose["intrinsics"];

/** What bounds the camera. */
export interface Limits {
  readonly envelope: Envelope;
  /** The trained focal lengths, and longer ones: as a fraction of the picture's height. */
  readonly focal: Range;
  /** The start's: its principal point and its pixels' aspect ratio hold for all cameras. */
  readonly lens: Intrinsics;
}

/** How much larger than in training things may be drawn. */
const MAGNIFICATION = 3;

/** The limits of a scene. */
export function limitsOf({ envelope, start }: Pick<Manifest, "envelope" | "start">): Limits {
  const [shortest, longest] = envelope.focal;
  const focal = [shortest, MAGNIFICATION * longest] as const;
  return { envelope, focal, lens: start.intrinsics };
}

export const clamp = (x: number, [low, high]: Range): number => Math.min(Math.max(x, low), high);

/** How far a picture of this focal length may be moved inside the widest trained one, x and y. */
export function room(focal: number, { envelope, lens }: Limits): readonly [Range, Range] {
  const [fx, fy, cx, cy] = lens;
  const height = Math.max(0, 1 / envelope.focal[0] - 1 / focal);
  const width = (fy / fx) * height;
  return [
    [-cx * width, (1 - cx) * width],
    [-(1 - cy) * height, cy * height], // y is up here, but counted downwards in pictures
  ];
}

/** How far the axis of a camera at this distance from the pivot may be turned aside. */
export function reach(radius: number, { target_spread: spread }: Envelope): number {
  return spread / Math.sqrt(Math.max(radius ** 2 - spread ** 2, 1e-12));
}

const length = ([x, y]: Tangents): number => Math.hypot(x, y);
const minus = (a: Tangents, b: Tangents): Tangents => [a[0] - b[0], a[1] - b[1]];
const times = ([x, y]: Tangents, s: number): Tangents => [x * s, y * s];
const boxed = (s: Tangents, box: readonly [Range, Range]): Tangents => [
  clamp(s[0], box[0]),
  clamp(s[1], box[1]),
];

const ROUNDING = 1e-9;

/** The aim nearest to `aim` that a crop and a turn reach together; `aim` itself where it is one. */
export function nearestAim(aim: Tangents, focal: number, radius: number, limits: Limits): Tangents {
  const inner = boxed(aim, room(focal, limits));
  const rest = minus(aim, inner);
  const [beyond, most] = [length(rest), reach(radius, limits.envelope)];
  if (beyond <= most + ROUNDING) return aim;
  const turn = times(rest, most / beyond);
  return [inner[0] + turn[0], inner[1] + turn[1]];
}

/**
 * `aim` as a turn of the axis and a crop: the least crop that does, so that a camera of the
 * envelope is shown as it was trained.
 */
export function splitAim(
  aim: Tangents,
  focal: number,
  radius: number,
  limits: Limits,
): { readonly crop: Tangents; readonly turn: Tangents } {
  const most = reach(radius, limits.envelope);
  if (length(aim) <= most) return { crop: [0, 0], turn: aim };
  const crop = leastCrop(aim, most, room(focal, limits));
  const turn = minus(aim, crop);
  return { crop, turn: times(turn, Math.min(1, most / Math.max(length(turn), 1e-300))) };
}

/** The point of `box` and of the disc around `aim` that is nearest to the origin. */
function leastCrop(aim: Tangents, radius: number, box: readonly [Range, Range]): Tangents {
  const straight = times(aim, 1 - radius / length(aim));
  const clamped = boxed(straight, box);
  if (length(minus(straight, clamped)) === 0) return straight;
  // Not in the box: then it is on one of the box's edges, or the aim was out of reach.
  const onEdge = ([0, 1] as const)
    .filter((axis) => clamped[axis] !== straight[axis])
    .map((axis) => alongEdge(aim, radius, box, axis, clamped[axis]))
    .filter((crop) => length(minus(aim, crop)) <= radius + ROUNDING)
    .sort((a, b) => length(a) - length(b));
  return onEdge[0] ?? boxed(aim, box);
}

/** On the edge where `axis` is `bound`: as near to the origin as the disc allows. */
function alongEdge(
  aim: Tangents,
  radius: number,
  box: readonly [Range, Range],
  axis: 0 | 1,
  bound: number,
): Tangents {
  const half = Math.sqrt(Math.max(0, radius ** 2 - (aim[axis] - bound) ** 2));
  const other = axis === 0 ? 1 : 0;
  const free = clamp(clamp(0, [aim[other] - half, aim[other] + half]), box[other]);
  return axis === 0 ? [bound, free] : [free, bound];
}
