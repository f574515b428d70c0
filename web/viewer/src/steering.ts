/**
 * From hands to poses: the camera that the visitor steers, and when a frame is due.
 *
 *     controls -> motion --every animation frame, while something moves--> moved(pose)
 */
import { orbitOf, poseOf } from "./camera";
import { attachControls } from "./controls";
import { element } from "./hud";
import type { CameraPose, Manifest } from "./manifest";
import { Motion } from "./motion";

/** Who hears of the camera. */
export interface SteeringListener {
  /** A frame of this camera is due. */
  moved(pose: CameraPose): void;
  /** The camera stays where it is, for now. */
  rested(): void;
  /** A hand has moved something. */
  touched(): void;
}

export class Steering {
  readonly #motion: Motion;
  #pose: CameraPose;
  #before: number | null = null; // null: at rest, and no frame is due
  #closed = false;

  /** Shows `asked`, or the scene's start, at once. */
  constructor(
    private readonly manifest: Manifest,
    asked: CameraPose | null,
    private readonly listener: SteeringListener,
  ) {
    const { start, envelope } = manifest;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const home = orbitOf(start, envelope.pivot);
    this.#motion = new Motion(home, orbitOf(asked ?? start, envelope.pivot), envelope, calm);
    // A camera that was asked for is shown exactly as it is, until somebody moves.
    this.#pose = asked ?? this.#shown();
    listener.moved(this.#pose);
    attachControls(element("stage"), element("picture"), this.#motion, () => this.#wake());
  }

  /** The camera that was shown last. */
  get camera(): CameraPose {
    return this.#pose;
  }

  /** Back to the start. */
  reset(): void {
    this.#motion.reset();
    this.#wake();
  }

  /** Another scene is steered now: hands move nothing here any more. */
  close(): void {
    this.#closed = true;
  }

  #shown(): CameraPose {
    const { start, envelope } = this.manifest;
    return poseOf(this.#motion.shown, envelope.pivot, start.intrinsics);
  }

  #wake(): void {
    if (this.#closed) return;
    this.listener.touched();
    if (this.#before !== null) return;
    this.#before = performance.now();
    requestAnimationFrame((now) => this.#tick(now));
  }

  #tick(now: number): void {
    if (this.#closed) return;
    const seconds = (now - (this.#before ?? now)) / 1000; // can be a little before `wake`
    const moving = this.#motion.step(Math.min(Math.max(seconds, 0), 0.1));
    this.#before = moving ? now : null;
    if (!moving) return this.listener.rested();
    this.#pose = this.#shown();
    this.listener.moved(this.#pose);
    requestAnimationFrame((later) => this.#tick(later));
  }
}
