/**
 * From hands to poses: the camera that the visitor steers, and when a frame is due.
 *
 *     controls, gamepad, rotation -> motion --every animation frame, while something moves--> moved(pose)
 *     a leader (a film) in their place, until a hand takes over: between the two the camera glides
 *     #view= in the address -> the first camera, later ones; the camera at rest -> #view=
 */
import { type Orbit, orbitOf, pointAt, poseOf, unwound } from "./camera";
import { attachControls, type Hands } from "./controls";
import { type Limits, limitsOf } from "./framing";
import { padResets, padSpeed, watchGamepads } from "./gamepad";
import { element } from "./dom";
import { limited } from "./limits";
import type { CameraPose, Manifest } from "./manifest";
import { Motion } from "./motion";
import { focused, senseOf, zoomed } from "./moves";
import { between } from "./path_spline";
import { isStill, type Rates, STILL, sum } from "./rates";
import { Rotation } from "./rotation";
import { subtract } from "./vector";
import { formatView, parseView, readState, VIEW, writeState } from "./view_state";

const CLOSER = 1.6; // how much larger a double click makes things
const PATIENCE = 2000; // milliseconds without a touch, after which the camera goes round
const SAVE = 250; // milliseconds at rest before the address says where
const GLIDE = 0.5; // seconds from a hand's camera to a leader's, or back

/** Who hears of the camera, and who knows what it sees. */
export interface SteeringListener {
  /** A frame of this camera is due. */
  moved(pose: CameraPose): void;
  /** The camera stays where it is, for now. */
  rested(): void;
  /** A hand has moved something. */
  touched(): void;
  /** How far away is what the last frame shows at these fractions of it? See viewer.ts. */
  depthAt(x: number, y: number): Promise<number | null>;
}

/** What moves the camera in the hands' place. */
export interface Leader {
  /** Move on by `seconds`; false where it stays where it is. */
  advance(seconds: number): boolean;
  /** The camera now: the same object while it does not move. */
  readonly pose: CameraPose;
  /** A hand has taken over. */
  left(): void;
}

/** What the page's address asks for. */
export interface SteeringOptions {
  /** The very first camera; #view= takes its place. */
  readonly pose: CameraPose | null;
  /** Go round by itself; null: unless the address asks for a camera. */
  readonly rotate: boolean | null;
}

export class Steering {
  readonly #limits: Limits;
  readonly #motion: Motion;
  readonly #hands: Hands;
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  readonly #goesRound: boolean;
  #pose: CameraPose;
  #before: number | null = null; // null: at rest, and no frame is due
  #touches = 0;
  #pad = STILL;
  #rotation: Rotation | null = null;
  #leader: Leader | null = null;
  #glide: { readonly from: CameraPose; elapsed: number } | null = null;
  #saving = 0;
  readonly #over = new AbortController();

  /** Shows the camera that the address asks for, or the scene's start, at once. */
  constructor(
    private readonly manifest: Manifest,
    asked: SteeringOptions,
    private readonly listener: SteeringListener,
  ) {
    const limits = (this.#limits = limitsOf(manifest));
    const home = orbitOf(manifest.start, limits);
    const view = askedView(limits);
    const first = view ?? (asked.pose === null ? home : orbitOf(asked.pose, limits));
    this.#goesRound = asked.rotate ?? (view === null && asked.pose === null);
    this.#motion = new Motion(home, first, limits, this.#calm);
    // A camera that was asked for is shown exactly as it is, until somebody moves.
    this.#pose = view === null && asked.pose !== null ? asked.pose : this.#shown();
    listener.moved(this.#pose);
    const centre = [limits.lens[2], limits.lens[3]] as const;
    this.#hands = attachControls(
      element("stage"),
      element("picture"),
      centre,
      this.#motion,
      {
        wake: () => this.#touched(),
        reset: () => this.reset(),
        focus: (x, y) => void this.focus(x, y),
        rotate: () => this.rotate(),
      },
      this.#over.signal,
    );
    this.#watchPads();
    const { signal } = this.#over;
    window.addEventListener("hashchange", () => this.#readView(), { signal });
  }

  /** Another scene is steered now: nothing moves any more, nobody listens. */
  close(): void {
    this.#over.abort();
    window.clearTimeout(this.#saving);
  }

  /** The camera that was shown last. */
  get camera(): CameraPose {
    return this.#pose;
  }

  /** The first frame is there: if nobody touches anything, the camera goes round in a while. */
  start(): void {
    if (!this.#goesRound || this.#calm) return;
    window.setTimeout(() => {
      const alone = this.#touches === 0 && this.#rotation === null && this.#leader === null;
      if (alone) this.#goRound();
    }, PATIENCE);
  }

  /** Back to the start. */
  reset(): void {
    this.#touched();
    this.#motion.reset();
  }

  /** Go round, or stop it. */
  rotate(): void {
    const going = this.#rotation !== null;
    this.#touched();
    if (!going) this.#goRound();
  }

  /** From now on the camera is where `leader` says, until a hand takes it over. */
  lead(leader: Leader): void {
    window.clearTimeout(this.#saving);
    this.#rotation = null;
    if (this.#leader !== leader && leader.pose !== this.#pose) this.#glideOn();
    this.#leader = leader;
    this.#run();
  }

  /** The camera stays where the leader has left it, for hands to go on from there. */
  leave(): void {
    if (this.#leader === null) return;
    const leader = this.#leader;
    this.#glideOn();
    this.#leader = null;
    leader.left();
    this.#run();
  }

  /** What comes next is reached from the camera that is shown now, without a jump. */
  #glideOn(): void {
    this.#glide = this.#calm ? null : { from: this.#pose, elapsed: 0 };
  }

  /**
   * Turn to what is at (x, y), in fractions of the picture, and come closer. Nothing happens where
   * nothing is, or where a hand moves on before that is known.
   */
  async focus(x: number, y: number): Promise<void> {
    if (Math.min(x, y) < 0 || Math.max(x, y) > 1) return;
    this.#touched();
    const [pose, touches] = [this.#pose, this.#touches];
    const depth = await this.listener.depthAt(x, y);
    if (depth === null || touches !== this.#touches) return;
    const point = subtract(pointAt(pose, x, y, depth), this.#limits.envelope.pivot);
    const { goal, home } = this.#motion;
    const nearer = zoomed(goal, CLOSER, home.focal, this.#limits);
    const there = focused(nearer, point, this.#limits);
    this.#motion.travel(unwound(there, goal.azimuth, this.#limits.envelope));
    this.#run();
  }

  #shown(): CameraPose {
    return poseOf(this.#motion.shown, this.#limits);
  }

  /** A hand is at work. */
  #touched(): void {
    this.#touches++;
    this.#rotation = null;
    this.leave();
    this.listener.touched();
    this.#run();
  }

  #goRound(): void {
    window.clearTimeout(this.#saving);
    this.#rotation = new Rotation(this.manifest.envelope);
    this.#run();
  }

  #run(): void {
    if (this.#before !== null || this.#over.signal.aborted) return;
    this.#before = performance.now();
    requestAnimationFrame((now) => this.#tick(now));
  }

  #tick(now: number): void {
    if (this.#over.signal.aborted) return;
    const elapsed = (now - (this.#before ?? now)) / 1000; // can be a little before `run`
    const seconds = Math.min(Math.max(elapsed, 0), 0.1);
    const before = this.#motion.shown;
    this.#hands.frame();
    this.#motion.drive(this.#speed(now / 1000, seconds));
    const moving = this.#motion.step(seconds) || this.#hands.keys.any || this.#rotation !== null;
    const moves = this.#follow(seconds) || moving || this.#glide !== null;
    this.#before = moves ? now : null;
    this.#show(this.#due(before, seconds));
    if (moves) requestAnimationFrame((later) => this.#tick(later));
    else this.#rested();
  }

  /** Let the leader move on, with the hands' camera beside it; whether it does. */
  #follow(seconds: number): boolean {
    if (this.#leader === null) return false;
    const moves = this.#leader.advance(seconds);
    const orbit = orbitOf(this.#leader.pose, this.#limits);
    this.#motion.place(unwound(orbit, this.#motion.goal.azimuth, this.#limits.envelope));
    return moves;
  }

  /** The camera to show next, of leader or hands, `before` being the hands' last. */
  #due(before: Orbit, seconds: number): CameraPose {
    const still = this.#motion.shown === before && this.#glide === null;
    const wanted = this.#leader?.pose ?? (still ? this.#pose : this.#shown());
    if (this.#glide === null) return wanted;
    const t = Math.min((this.#glide.elapsed += seconds) / GLIDE, 1);
    const { from } = this.#glide;
    if (t === 1) this.#glide = null;
    return t === 1 ? wanted : between(from, wanted, t * t * (3 - 2 * t));
  }

  #show(pose: CameraPose): void {
    if (pose === this.#pose) return;
    this.#pose = pose;
    this.listener.moved(pose);
  }

  /** Of everything that moves the camera steadily. */
  #speed(time: number, seconds: number): Rates {
    const steady = sum(this.#hands.keys.speed(time), this.#pad);
    if (this.#rotation === null || seconds === 0) return steady;
    const turn = this.#rotation.advance(this.#motion.goal.azimuth, seconds);
    const azimuth = (senseOf(this.manifest.envelope) * turn) / seconds;
    return sum(steady, { ...STILL, azimuth });
  }

  #rested(): void {
    this.listener.rested();
    window.clearTimeout(this.#saving);
    if (this.#touches > 0 && this.#leader === null)
      this.#saving = window.setTimeout(() => this.#writeView(), SAVE);
  }

  /** Say in the address where the camera is; the start goes without saying. */
  #writeView(): void {
    const { shown, home } = this.#motion;
    const view = formatView(shown);
    writeState(VIEW, view === formatView(home) ? null : view);
  }

  /** Somebody has put another view into the address. */
  #readView(): void {
    const view = askedView(this.#limits);
    if (view === null) return;
    this.#rotation = null;
    this.leave();
    this.#motion.travel(unwound(view, this.#motion.goal.azimuth, this.#limits.envelope));
    this.#run();
  }

  #watchPads(): void {
    let resets = false;
    watchGamepads((pad) => {
      const [before, pressed] = [this.#pad, padResets(pad)];
      this.#pad = padSpeed(pad);
      if (!isStill(this.#pad) || !isStill(before)) this.#touched();
      if (pressed && !resets) this.reset();
      resets = pressed;
    }, this.#over.signal);
  }
}

/** The view that the address asks for, brought inside the limits; null where there is none. */
function askedView(limits: Limits): Orbit | null {
  const text = readState().get(VIEW);
  if (text === undefined) return null;
  const orbit = parseView(text);
  if (orbit !== null) return limited(orbit, limits);
  console.warn(`#${VIEW}=${text}: expected azimuth,elevation,radius,x,y,z,focal; left out`);
  return null;
}
