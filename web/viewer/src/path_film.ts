/**
 * A camera path that plays: where it is, how fast, whether it begins again. No page, no clock.
 *
 *     seconds -> time -> camera (path_spline.ts)
 */
import { distance, orbitOf, unwoundOnto } from "./camera";
import type { Limits } from "./framing";
import { limited } from "./limits";
import type { CameraPose } from "./manifest";
import { Spline, type Timetable } from "./path_spline";

/** How fast a film may play, in its own speed. */
export const SPEEDS = [0.25, 0.5, 1, 2] as const;

const TOLERANCE = 0.02; // past the edge by this, a camera is not called outside yet

export class Film {
  speed = 1;
  /** Begin again at the end; a closed way does so by itself. */
  loop: boolean;
  #playing = false;
  #time = 0;
  #pose: CameraPose;
  readonly #spline: Spline;

  constructor(private readonly table: Timetable) {
    this.loop = table.closed;
    this.#spline = new Spline(table);
    this.#pose = this.#spline.at(0);
  }

  get duration(): number {
    return this.table.duration;
  }

  get time(): number {
    return this.#time;
  }

  get playing(): boolean {
    return this.#playing;
  }

  /** The camera now: the same object for as long as nothing moves. */
  get pose(): CameraPose {
    return this.#pose;
  }

  /** Go on; from the start where it has come to its end. */
  play(): void {
    if (this.#time >= this.duration) this.seek(0);
    this.#playing = this.duration > 0;
  }

  pause(): void {
    this.#playing = false;
  }

  /** Go to `time`, or to the end that is nearest. */
  seek(time: number): void {
    const inside = Math.min(Math.max(time, 0), this.duration);
    if (inside === this.#time) return;
    this.#time = inside;
    this.#pose = this.#spline.at(inside);
  }

  /** Move on by `seconds`; false where it does not play, or no longer. */
  advance(seconds: number): boolean {
    if (!this.#playing) return false;
    const next = this.#time + seconds * this.speed;
    if (next < this.duration || this.loop) this.seek(next % this.duration);
    else {
      this.seek(this.duration);
      this.pause();
    }
    return this.#playing;
  }
}

/** Whether the student has never learnt what `pose` sees; its roll is not looked at. */
export function isOutside(pose: CameraPose, limits: Limits): boolean {
  const asked = orbitOf(pose, limits);
  const orbit = { ...asked, azimuth: unwoundOnto(asked.azimuth, limits.envelope) };
  return distance(orbit, limited(orbit, limits)) > TOLERANCE;
}

/** "0:07" */
export function clockText(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
