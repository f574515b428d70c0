/**
 * How the camera gets from where it is to where the hand wants it: smoothly, and then it rests.
 *
 *     hand, held keys, rotation -> goal --(followed in about a tenth of a second)--> shown -> pose
 *     fling: the goal itself glides on, slower and slower, in everything that a hand can do
 *     trip:  the goal is led to another camera (back to the start, to what was double-clicked)
 *     edge:  the goal gives way under the hand, and springs back when it lets go (limits.ts)
 *
 * All laws are exponential in time or functions of it, so the path is the same at any frame rate.
 * Time comes in as an argument, in seconds, so that this is testable without a clock. `step` says
 * whether anything still moves: the page draws nothing once it does not.
 */
import { blended, distance, type Orbit, unwound } from "./camera";
import type { Limits } from "./framing";
import { hardened, limited, softened } from "./limits";
import { panned, turned, zoomed } from "./moves";
import { looksAround } from "./room";
import { CHANNELS, isStill, type Rates, rates, STILL, sum } from "./rates";

const FOLLOW = 0.06; // seconds in which `shown` covers 63 % of the way to `goal`
const GLIDE = 0.35; // seconds in which a fling loses 63 % of its speed
const BRAKE = 0.05; // the same beyond the edge
const SPRING = 0.1; // seconds in which the goal comes back 63 % of the way to the edge
const TRIP = 0.6; // seconds that a trip takes
const REST = 5e-4; // see `distance`
const BACK = 1e-5; // the same, of the spring
const STOPPED = 0.01; // radians, heights of the picture or log size per second
const FASTEST = { turn: 6, pan: 4, zoom: 3 }; // a fling covers 0.35 times that

interface Trip {
  readonly from: Orbit;
  readonly to: Orbit;
  readonly elapsed: number;
}

export class Motion {
  #goal: Orbit;
  #shown: Orbit;
  #glide = STILL;
  #drive = STILL;
  #trip: Trip | null = null;
  #held = false;
  #inside: Orbit | null = null; // the last goal that came back from the edge
  /** Where `reset` goes. */
  readonly home: Orbit;

  /**
   * From `first`, with `reset` going to `home`. `calm`: no smoothing, no gliding, no give at the
   * edge (prefers-reduced-motion).
   */
  constructor(
    home: Orbit,
    first: Orbit,
    private readonly limits: Limits,
    private readonly calm: boolean,
  ) {
    this.home = limited(home, limits);
    this.#goal = this.#shown = limited(first, limits);
  }

  /** Where the camera is now. */
  get shown(): Orbit {
    return this.#shown;
  }

  /** Where it is going, as far as hands have a say. */
  get goal(): Orbit {
    return this.#trip?.to ?? this.#goal;
  }

  /** How far a hand turns that goes from edge to edge, in radians. */
  get sweep(): number {
    return looksAround(this.limits.envelope) ? 1 / this.home.focal : Math.PI;
  }

  /** Turn by (azimuth, elevation), in radians; by less where things are magnified. */
  turn(azimuth: number, elevation: number): void {
    const fine = Math.min(1, this.home.focal / this.#goal.focal);
    this.#move((goal) => turned(goal, fine * azimuth, fine * elevation, this.limits));
  }

  /** Move the picture by (x, y), in heights of the picture, y downwards. */
  pan(x: number, y: number): void {
    this.#move((goal) => panned(goal, x, y, this.limits));
  }

  /** Make things `factor` times as large, around a place in the picture (see moves.ts). */
  zoom(factor: number, place?: readonly [number, number]): void {
    this.#move((goal) => zoomed(goal, factor, this.home.focal, this.limits, place));
  }

  /** Move by what a speed covers in one second. */
  by({ azimuth, elevation, x, y, zoom }: Rates): void {
    if (azimuth !== 0 || elevation !== 0) this.turn(azimuth, elevation);
    if (x !== 0 || y !== 0) this.pan(x, y);
    if (zoom !== 0) this.zoom(Math.exp(zoom));
  }

  /** A hand is on it: nothing glides, and what is past the edge stays there. */
  hold(): void {
    if (!isStill(this.#glide) || this.#trip !== null) this.#goal = this.#shown;
    this.#glide = STILL;
    this.#trip = null;
    this.#held = true;
  }

  /** The hand lets go, moving at this speed. */
  release(speed: Rates = STILL): void {
    this.#held = false;
    if (!this.calm) this.#glide = capped(speed);
  }

  /** From now on move at this speed: keys are held. */
  drive(speed: Rates): void {
    this.#drive = speed;
  }

  /** Go to `orbit`, or next to it where that is outside. */
  travel(orbit: Orbit): void {
    const to = limited(orbit, this.limits);
    this.#glide = STILL;
    this.#trip = { from: this.#goal, to, elapsed: 0 };
  }

  /** Be at `orbit`, or next to it: something else has led the camera there. */
  place(orbit: Orbit): void {
    this.#glide = STILL;
    this.#trip = null;
    this.#goal = this.#shown = limited(orbit, this.limits);
  }

  /** Back to the start, the short way round. */
  reset(): void {
    this.travel(unwound(this.home, this.#goal.azimuth, this.limits.envelope));
  }

  /** Move on by `seconds`; false once the camera has come to rest. */
  step(seconds: number): boolean {
    const before = this.#shown;
    this.#lead(seconds);
    this.#glideOn(seconds);
    if (!isStill(this.#drive)) this.by(rates((channel) => this.#drive[channel] * seconds));
    const stretched = this.#springBack(seconds);
    const near = distance(before, this.#goal) < REST;
    this.#shown =
      near || this.calm ? this.#goal : blended(before, this.#goal, 1 - Math.exp(-seconds / FOLLOW));
    const moves = !isStill(sum(this.#glide, this.#drive)) || this.#trip !== null;
    return this.#shown !== before || moves || stretched;
  }

  /** A hand's move: it takes the camera over from whatever leads it. */
  #move(move: (goal: Orbit) => Orbit): void {
    this.#trip = null;
    const moved = move(hardened(this.#goal, this.limits));
    this.#goal = (this.calm ? limited : softened)(moved, this.limits);
  }

  #lead(seconds: number): void {
    if (this.#trip === null) return;
    const { from, to, elapsed } = this.#trip;
    const t = this.calm ? 1 : Math.min((elapsed + seconds) / TRIP, 1);
    this.#goal = t < 1 ? blended(from, to, t * t * (3 - 2 * t)) : to;
    this.#trip = t < 1 ? { from, to, elapsed: elapsed + seconds } : null;
  }

  #glideOn(seconds: number): void {
    if (isStill(this.#glide)) return;
    const speed = this.#glide;
    const past = pastEdge(this.#goal, limited(this.#goal, this.limits));
    const lasting = rates((channel) => (past[channel] ? BRAKE : GLIDE));
    const decay = rates((channel) => Math.exp(-seconds / lasting[channel]));
    // Integral of the speed: the same path at any frame rate.
    this.by(rates((c) => speed[c] * lasting[c] * (1 - decay[c])));
    const left = rates((channel) => speed[channel] * decay[channel]);
    this.#glide = CHANNELS.every((c) => Math.abs(left[c]) < STOPPED) ? STILL : left;
  }

  /** Whether the goal is still past the edge, and on its way back. */
  #springBack(seconds: number): boolean {
    if (this.#held || this.#trip !== null) return false;
    if (this.#goal === this.#inside) return false;
    const inside = limited(this.#goal, this.limits);
    const far = distance(this.#goal, inside);
    if (far === 0) return false;
    if (far < BACK) this.#goal = this.#inside = inside;
    else this.#goal = blended(this.#goal, inside, 1 - Math.exp(-seconds / SPRING));
    return true;
  }
}

/** Which of a hand's ways have come to their end. */
function pastEdge(goal: Orbit, inside: Orbit): Record<keyof Rates, boolean> {
  const aside = goal.offset !== inside.offset;
  return {
    azimuth: goal.azimuth !== inside.azimuth,
    elevation: goal.elevation !== inside.elevation,
    x: aside,
    y: aside,
    zoom: goal.focal !== inside.focal,
  };
}

/** No faster than `FASTEST`, in the same direction. */
function capped(speed: Rates): Rates {
  const turn = Math.max(Math.hypot(speed.azimuth, speed.elevation) / FASTEST.turn, 1);
  const pan = Math.max(Math.hypot(speed.x, speed.y) / FASTEST.pan, 1);
  const zoom = Math.max(Math.abs(speed.zoom) / FASTEST.zoom, 1);
  return {
    azimuth: speed.azimuth / turn,
    elevation: speed.elevation / turn,
    x: speed.x / pan,
    y: speed.y / pan,
    zoom: speed.zoom / zoom,
  };
}
