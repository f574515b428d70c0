/**
 * From fingers and mouse to motion: no page, no clock.
 *
 *     one pointer: turn (or move the picture, with the right button or Shift); two: pinch and move
 *
 * Positions are in heights of the picture, times in seconds.
 */
import type { Motion } from "./motion";

/** Radians per height of the picture: from edge to edge is half a turn. */
const TURN = Math.PI;
const RECENT = 0.1; // seconds of movement that make a fling
const STILL = 0.05; // seconds without movement before letting go that make none
const FRAME = 1 / 60; // seconds: movements are not reported more finely

interface Pointer {
  x: number;
  y: number;
}

interface Sample {
  readonly time: number;
  readonly azimuth: number;
  readonly elevation: number;
}

export class Gesture {
  readonly #pointers = new Map<number, Pointer>();
  #moving = false; // the picture is moved, not turned
  #trail: Sample[] = [];

  constructor(private readonly motion: Motion) {}

  /** A finger or button goes down; `move`: it is to move the picture. */
  down(id: number, x: number, y: number, time: number, move: boolean): void {
    this.#pointers.set(id, { x, y });
    this.#moving = move;
    this.#trail = [{ time, azimuth: 0, elevation: 0 }];
    this.motion.hold();
  }

  /** It moves; false where it only hovers. */
  move(id: number, x: number, y: number, time: number): boolean {
    const pointer = this.#pointers.get(id);
    if (pointer === undefined) return false;
    const before = this.#pair();
    const [dx, dy] = [x - pointer.x, y - pointer.y];
    Object.assign(pointer, { x, y });
    const after = this.#pair();
    if (before !== null && after !== null) this.#pinch(before, after);
    else if (this.#moving) this.motion.pan(dx, dy);
    else this.#turn(dx, dy, time);
    return true;
  }

  /** It goes up: a turn that was still moving glides on. */
  up(id: number, time: number): void {
    const trail = this.#trail;
    this.#trail = [];
    const still = time - (trail.at(-1)?.time ?? -Infinity) > STILL;
    if (!this.#pointers.delete(id) || trail.length < 2 || still) return;
    const recent = trail.findIndex((sample) => time - sample.time < RECENT);
    const since = Math.max(recent - 1, 0); // each sample holds what happened since the one before
    const span = Math.max(time - trail[since]!.time, FRAME);
    const speed = (axis: "azimuth" | "elevation"): number =>
      trail.slice(since + 1).reduce((sum, sample) => sum + sample[axis], 0) / span;
    this.motion.fling(speed("azimuth"), speed("elevation"));
  }

  /** The scene follows the hand: to the right means that the camera goes to the left. */
  #turn(dx: number, dy: number, time: number): void {
    const [azimuth, elevation] = [-TURN * dx, TURN * dy];
    this.#trail.push({ time, azimuth, elevation });
    this.motion.turn(azimuth, elevation);
  }

  #pinch(before: Pair, after: Pair): void {
    this.motion.pan(after.x - before.x, after.y - before.y);
    if (before.spread > 0 && after.spread > 0) this.motion.zoom(after.spread / before.spread);
  }

  /** Middle and distance of the first two pointers. */
  #pair(): Pair | null {
    const [a, b] = this.#pointers.values();
    if (a === undefined || b === undefined) return null;
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, spread: Math.hypot(a.x - b.x, a.y - b.y) };
  }
}

interface Pair {
  readonly x: number;
  readonly y: number;
  readonly spread: number;
}
