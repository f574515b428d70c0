/**
 * How the camera gets from where it is to where the hand wants it: smoothly, and then it rests.
 *
 *     hand -> goal --(followed in about a tenth of a second)--> shown -> pose
 *     fling -> the goal itself glides on, slower and slower
 *
 * Time comes in as an argument, in seconds, so that this is testable without a clock. `step` says
 * whether anything still moves: the page draws nothing once it does not.
 */
import { blended, distance, limited, type Orbit, panned, turned, unwound, zoomed } from "./camera";
import type { Envelope } from "./manifest";

const FOLLOW = 0.06; // seconds in which `shown` covers 63 % of the way to `goal`
const GLIDE = 0.35; // seconds in which a fling loses 63 % of its speed
const REST = 5e-4; // see `distance`
const STOPPED = 0.01; // radians per second
const FASTEST = 6; // radians per second: a fling turns by two radians at most

export class Motion {
  #goal: Orbit;
  #shown: Orbit;
  readonly #home: Orbit;
  #glide: readonly [number, number] = [0, 0]; // radians per second, azimuth and elevation

  /**
   * From `first`, with `reset` going to `home`. `calm`: no smoothing, no gliding
   * (prefers-reduced-motion).
   */
  constructor(
    home: Orbit,
    first: Orbit,
    private readonly envelope: Envelope,
    private readonly calm: boolean,
  ) {
    this.#home = limited(home, envelope);
    this.#goal = this.#shown = limited(first, envelope);
  }

  /** Where the camera is now. */
  get shown(): Orbit {
    return this.#shown;
  }

  /** Turn by (azimuth, elevation), in radians. */
  turn(azimuth: number, elevation: number): void {
    this.hold();
    this.#goal = turned(this.#goal, azimuth, elevation, this.envelope);
  }

  /** Move the picture by (x, y), in heights of the picture, y downwards. */
  pan(x: number, y: number): void {
    this.hold();
    this.#goal = panned(this.#goal, x, y, this.envelope);
  }

  /** Make things `factor` times as large. */
  zoom(factor: number): void {
    this.#goal = zoomed(this.#goal, factor, this.#home.focal, this.envelope);
  }

  /** Let go while turning at this speed, in radians per second. */
  fling(azimuth: number, elevation: number): void {
    const excess = Math.max(Math.hypot(azimuth, elevation) / FASTEST, 1);
    if (!this.calm) this.#glide = [azimuth / excess, elevation / excess];
  }

  /** Stop gliding: a finger is on it. */
  hold(): void {
    this.#glide = [0, 0];
  }

  /** Back to the start, the short way round. */
  reset(): void {
    this.hold();
    this.#goal = unwound(this.#home, this.#goal.azimuth, this.envelope);
  }

  /** Move on by `seconds`; false once the camera has come to rest. */
  step(seconds: number): boolean {
    this.#glideOn(seconds);
    const before = this.#shown;
    const near = distance(before, this.#goal) < REST;
    this.#shown =
      near || this.calm ? this.#goal : blended(before, this.#goal, 1 - Math.exp(-seconds / FOLLOW));
    return this.#shown !== before || this.#gliding;
  }

  get #gliding(): boolean {
    return this.#glide[0] !== 0 || this.#glide[1] !== 0;
  }

  #glideOn(seconds: number): void {
    if (!this.#gliding) return;
    const [azimuth, elevation] = this.#glide;
    const decay = Math.exp(-seconds / GLIDE);
    const covered = GLIDE * (1 - decay); // integral of the speed: the same path at any frame rate
    this.#goal = turned(this.#goal, azimuth * covered, elevation * covered, this.envelope);
    const slow = Math.hypot(azimuth, elevation) * decay < STOPPED;
    this.#glide = slow ? [0, 0] : [azimuth * decay, elevation * decay];
  }
}
