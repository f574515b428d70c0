/**
 * From fingers and mouse to motion: no page, no clock.
 *
 *     one pointer: turn (or move the picture, with the right button or Shift); two: pinch and move
 *     let go while moving: the motion glides on; two quick taps: look at what is there
 *
 * Positions are in heights of the picture, from its upper left corner; times in seconds.
 */
import type { Motion } from "./motion";
import { type Rates, rates, STILL } from "./rates";

const RECENT = 0.1; // seconds of movement that make a fling
const PAUSE = 0.05; // seconds without movement before letting go that make none
const FRAME = 1 / 60; // seconds: movements are not reported more finely
const TAP = 0.3; // seconds: longer is no tap
const AGAIN = 0.4; // seconds between the ends of two taps that belong together
const FIRM = 0.03; // how far a tap, or the finger that a pinch leaves behind, may slip
const NEARBY = 0.1; // how far apart two taps that belong together may be

export type Point = readonly [number, number];

/** What one finger or button, or two, do. */
interface Sample extends Rates {
  readonly time: number;
}

interface Pointer {
  at: Point;
  readonly first: Point;
  readonly since: number;
}

interface Tap {
  readonly at: Point;
  readonly time: number;
}

const away = (a: Point, b: Point): number => Math.hypot(a[0] - b[0], a[1] - b[1]);

export class Gesture {
  readonly #pointers = new Map<number, Pointer>();
  #moving = false; // the picture is moved, not turned
  #trail: Sample[] = [];
  #pinched: { readonly from: Pair; time: number } | null = null; // not yet told
  #rests: Point | null = null; // where the finger lies that a pinch has left behind
  #mayTap = false;
  #tap: Tap | null = null;

  /** `place` turns a position into one that Motion takes; `tapped` hears of double taps. */
  constructor(
    private readonly motion: Motion,
    private readonly place: (at: Point) => Point,
    private readonly tapped: (at: Point) => void,
  ) {}

  /** A finger or button goes down; `move`: it is to move the picture. */
  down(id: number, at: Point, time: number, move: boolean): void {
    this.frame();
    this.#pointers.set(id, { at, first: at, since: time });
    this.#moving = move;
    this.#rests = null;
    this.#mayTap = this.#pointers.size === 1 && !move;
    this.#trail = [{ time, ...STILL }];
    this.motion.hold();
  }

  /** It moves; false where it only hovers. */
  move(id: number, at: Point, time: number): boolean {
    const pointer = this.#pointers.get(id);
    if (pointer === undefined) return false;
    const delta = [at[0] - pointer.at[0], at[1] - pointer.at[1]] as const;
    if (this.#pointers.size > 1) this.#pinched ??= { from: this.#pair()!, time };
    pointer.at = at;
    if (this.#pinched !== null) this.#pinched.time = time;
    else if (this.#isFirm(at)) return false;
    else if (this.#moving) this.#pan(...delta, time);
    else this.#turn(...delta, time);
    return true;
  }

  /**
   * Once per frame: what two fingers have done since the last one. They are reported one after the
   * other, and each alone would look like a pinch.
   */
  frame(): void {
    const [pinched, to] = [this.#pinched, this.#pair()];
    this.#pinched = null;
    if (pinched !== null && to !== null) this.#pinch(pinched.from, to, pinched.time);
  }

  /** It goes up: what was still moving glides on. */
  up(id: number, time: number): void {
    const pointer = this.#pointers.get(id);
    if (pointer === undefined) return;
    this.frame();
    this.#pointers.delete(id);
    const left = [...this.#pointers.values()].at(0);
    this.#rests = left?.at ?? null;
    if (left !== undefined) return;
    this.motion.release(this.#speed(time));
    if (this.#mayTap && isTap(pointer, time)) this.#tapAt(pointer.at, time);
    else this.#tap = null;
  }

  /** The browser has taken it away: nothing glides, nothing was tapped. False where it was up. */
  cancel(id: number): boolean {
    this.frame();
    if (!this.#pointers.delete(id)) return false;
    [this.#trail, this.#mayTap, this.#tap] = [[], false, null];
    if (this.#pointers.size === 0) this.motion.release();
    return true;
  }

  /** A finger that a pinch has left behind turns nothing before it really moves. */
  #isFirm(at: Point): boolean {
    if (this.#rests !== null && away(at, this.#rests) < FIRM) return true;
    this.#rests = null;
    return false;
  }

  #tapAt(at: Point, time: number): void {
    const again = this.#tap !== null && time - this.#tap.time < AGAIN;
    const double = again && away(at, this.#tap!.at) < NEARBY;
    this.#tap = double ? null : { at, time };
    if (double) this.tapped(at);
  }

  /** The scene follows the hand: to the right means that the camera goes to the left. */
  #turn(dx: number, dy: number, time: number): void {
    const { sweep } = this.motion;
    const [azimuth, elevation] = [-sweep * dx, sweep * dy];
    this.#trail.push({ ...STILL, time, azimuth, elevation });
    this.motion.turn(azimuth, elevation);
  }

  #pan(x: number, y: number, time: number): void {
    this.#trail.push({ ...STILL, time, x, y });
    this.motion.pan(x, y);
  }

  #pinch(before: Pair, after: Pair, time: number): void {
    const [x, y] = [after.at[0] - before.at[0], after.at[1] - before.at[1]];
    const apart = before.spread > 0 && after.spread > 0;
    const zoom = apart ? Math.log(after.spread / before.spread) : 0;
    this.#trail.push({ ...STILL, time, x, y, zoom });
    this.motion.pan(x, y);
    if (zoom !== 0) this.motion.zoom(Math.exp(zoom), this.place(after.at));
  }

  /** Of the last tenth of a second; none after a pause. */
  #speed(time: number): Rates {
    const trail = this.#trail;
    const paused = time - (trail.at(-1)?.time ?? -Infinity) > PAUSE;
    if (trail.length < 2 || paused) return STILL;
    const recent = trail.findIndex((sample) => time - sample.time < RECENT);
    const since = Math.max(recent - 1, 0); // each sample holds what happened since the one before
    const span = Math.max(time - trail[since]!.time, FRAME);
    const samples = trail.slice(since + 1);
    return rates((channel) => samples.reduce((sum, sample) => sum + sample[channel], 0) / span);
  }

  /** Middle and distance of the first two pointers; a third one does nothing. */
  #pair(): Pair | null {
    const [a, b] = this.#pointers.values();
    if (a === undefined || b === undefined) return null;
    const middle = [(a.at[0] + b.at[0]) / 2, (a.at[1] + b.at[1]) / 2] as const;
    return { at: middle, spread: away(a.at, b.at) };
  }
}

const isTap = ({ at, first, since }: Pointer, time: number): boolean =>
  time - since < TAP && away(at, first) < FIRM;

interface Pair {
  readonly at: Point;
  readonly spread: number;
}
