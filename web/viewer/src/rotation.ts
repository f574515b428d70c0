/**
 * The camera going round by itself, slowly, until somebody takes over: no page, no clock.
 *
 * All the way round where the envelope goes round, else to and fro along most of its arc.
 */
import { isWhole, unwoundOnto } from "./camera";
import type { Envelope } from "./manifest";

const SPEED = 0.25; // radians per second: once round in 25 seconds
const EASE = 1.5; // seconds until it is that fast
const SWING = 0.8; // of the arc, when it goes to and fro

export class Rotation {
  #elapsed = 0;
  #phase: number | null = null; // of the swing: its middle is at 0

  constructor(private readonly envelope: Envelope) {}

  /** By how much to turn in the next `seconds`, from `azimuth`. */
  advance(azimuth: number, seconds: number): number {
    this.#elapsed += seconds;
    const eased = SPEED * seconds * Math.min(1, this.#elapsed / EASE);
    return isWhole(this.envelope) ? eased : this.#swing(azimuth, eased);
  }

  /** `way` is what it would turn in the middle of the arc, where it is fastest. */
  #swing(azimuth: number, way: number): number {
    const [first, last] = this.envelope.azimuth;
    const aside = unwoundOnto(azimuth, this.envelope) - (first + last) / 2;
    const far = Math.max((SWING * (last - first)) / 2, 1e-6);
    const before = this.#phase ?? Math.asin(Math.min(Math.max(aside / far, -1), 1));
    this.#phase = before + way / far;
    return far * (Math.sin(this.#phase) - Math.sin(before));
  }
}
