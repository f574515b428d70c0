/**
 * A smooth way through cameras: pure, the same as teacher/paths/spline.py.
 *
 *     poses -> keys (position, quaternion, intrinsics) -> cubic pieces between them -> poses
 *
 * A piece has the keys' values and slopes at its ends; a slope is that of the parabola through the
 * key and its neighbours, so the way has no corners. Turns are unit quaternions, each on the same
 * side as its neighbour, which is the shorter way round; what the cubics give is brought back to
 * length one.
 */
import type { CameraPose } from "./manifest";

/** Position, quaternion (w, x, y, z), intrinsics. */
type Key = readonly number[];

const [TURN, LENS] = [3, 7]; // where quaternion and intrinsics begin

/** Cameras and when they are passed. */
export interface Timetable {
  readonly poses: readonly CameraPose[];
  /** Seconds, rising from 0. */
  readonly times: readonly number[];
  /** Until the end; of a closed way until the first camera is there again. */
  readonly duration: number;
  readonly closed: boolean;
}

export class Spline {
  readonly #keys: readonly Key[];

  constructor(private readonly table: Timetable) {
    this.#keys = table.poses.map(keyOf);
  }

  /** The camera at `time`, from 0 to the duration. */
  at(time: number): CameraPose {
    const { poses, times, closed } = this.table;
    if (poses.length === 1) return poses[0]!;
    let k = times.length - 1;
    while (k > 0 && times[k]! > time) k--;
    if (time === times[k]) return poses[k]!; // as it stands in the file
    if (!closed) k = Math.min(k, times.length - 2);
    const here = this.#key(k)!;
    const next = aligned(this.#key(k + 1)!, here);
    const [before, after] = [this.#key(k - 1), this.#key(k + 2)];
    const [t0, t1, t2, t3] = [-1, 0, 1, 2].map((i) => this.#time(k + i)) as [
      Four,
      Four,
      Four,
      Four,
    ];
    const step = t2 - t1;
    const rise = rate(here, next, step);
    const from =
      before && parabola(rate(aligned(before, here), here, t1 - t0), t1 - t0, rise, step);
    const to = after && parabola(rise, step, rate(next, aligned(after, next), t3 - t2), t3 - t2);
    return poseOf(hermite(here, from ?? rise, next, to ?? rise, step, (time - t1) / step));
  }

  #key(k: number): Key | undefined {
    const { length } = this.#keys;
    return this.#keys[this.table.closed ? (k + length) % length : k];
  }

  #time(k: number): number {
    const { times, duration } = this.table;
    const round = Math.floor(k / times.length);
    return times[k - round * times.length]! + round * duration;
  }
}

type Four = number;

/** The camera the fraction `t` of the way from `a` to `b`, straight on and by the shorter turn. */
export function between(a: CameraPose, b: CameraPose, t: number): CameraPose {
  const from = keyOf(a);
  const to = aligned(keyOf(b), from);
  return poseOf(from.map((x, i) => x + (to[i]! - x) * t));
}

/** `key` with its quaternion on the side of `other`'s. */
function aligned(key: Key, other: Key): Key {
  let product = 0;
  for (let i = TURN; i < LENS; i++) product += key[i]! * other[i]!;
  return product < 0 ? key.map((x, i) => (i >= TURN && i < LENS ? -x : x)) : key;
}

const rate = (a: Key, b: Key, step: number): Key => a.map((x, i) => (b[i]! - x) / step);

/** The slope of the parabola where pieces of these steps and rates meet. */
const parabola = (before: Key, step: number, after: Key, next: number): Key =>
  before.map((x, i) => (next * x + step * after[i]!) / (step + next));

/** The cubic from `a`, with slope `u`, to `b`, with slope `v`, at the fraction `s` of `step`. */
function hermite(a: Key, u: Key, b: Key, v: Key, step: number, s: number): Key {
  const rest = 1 - s;
  return a.map(
    (x, i) =>
      (1 + 2 * s) * rest ** 2 * x +
      s * rest ** 2 * step * u[i]! +
      s ** 2 * (3 - 2 * s) * b[i]! -
      s ** 2 * rest * step * v[i]!,
  );
}

function keyOf({ T_norm_camera: T, intrinsics }: CameraPose): Key {
  const [a, b, c, x, d, e, f, y, g, h, i, z] = T as readonly number[] as Twelve;
  // Each row is the quaternion times four times one of its numbers: the largest is safe to divide by.
  const rows = [
    [1 + a + e + i, h - f, c - g, d - b],
    [h - f, 1 + a - e - i, b + d, c + g],
    [c - g, b + d, 1 - a + e - i, f + h],
    [d - b, c + g, f + h, 1 - a - e + i],
  ];
  const best = rows.reduce((one, row, k) => (row[k]! > one[1]! ? [k, row[k]!] : one), [0, -1]);
  const row = rows[best[0]!]!;
  const length = Math.hypot(...row);
  return [x, y, z, ...row.map((value) => value / length), ...intrinsics];
}

type Twelve = readonly [
  ...[number, number, number, number],
  ...[number, number, number, number],
  ...[number, number, number, number],
];

function poseOf(key: Key): CameraPose {
  const [px, py, pz, ...rest] = key;
  const length = Math.hypot(...rest.slice(0, 4));
  const [w, x, y, z] = rest.map((value) => value / length) as [number, number, number, number];
  return {
    T_norm_camera: [
      ...[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), px!],
      ...[2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x), py!],
      ...[2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y), pz!],
      ...[0, 0, 0, 1],
    ],
    intrinsics: key.slice(LENS) as unknown as CameraPose["intrinsics"],
  };
}
