/**
 * Where a film is: pure. Time comes in as an argument, in seconds.
 *
 * A film never jumps: where frames are not decoded in time it waits for them.
 */
import { clamp } from "./view.mjs";

export class Film {
  #frame = 0;
  #owed = 0; // of a frame
  /** @type {number} */
  #count;
  /** @type {number} */
  #fps;
  playing = false;

  /**
   * @param {number} count
   * @param {number} fps
   */
  constructor(count, fps) {
    this.#count = Math.max(count, 1);
    this.#fps = fps;
  }

  get frame() {
    return this.#frame;
  }

  get count() {
    return this.#count;
  }

  get fps() {
    return this.#fps;
  }

  /** Another film in the place of this one: it goes on from the same frame, if there is one.
   * @param {number} count
   * @param {number} fps */
  replace(count, fps) {
    this.#count = Math.max(count, 1);
    this.#fps = fps;
    this.seek(this.#frame);
    if (this.#count === 1) this.playing = false;
  }

  /** @param {number} frame */
  seek(frame) {
    this.#frame = clamp(Math.round(frame), 0, this.#count - 1);
    this.#owed = 0;
  }

  /** One frame on or back, around the ends.
   * @param {number} by */
  step(by) {
    this.seek((this.#frame + by + this.#count) % this.#count);
  }

  /**
   * `seconds` have passed; `ready`: whether a frame can be shown. True where the frame is another one.
   * @param {number} seconds
   * @param {(frame: number) => boolean} ready
   */
  advance(seconds, ready) {
    if (!this.playing || this.#count < 2) return false;
    const before = this.#frame;
    this.#owed = Math.min(this.#owed + Math.max(seconds, 0) * this.#fps, this.#count);
    while (this.#owed >= 1) {
      const next = (this.#frame + 1) % this.#count;
      if (!ready(next)) {
        this.#owed = 1; // due at once, and nothing to catch up with
        break;
      }
      this.#frame = next;
      this.#owed -= 1;
    }
    return this.#frame !== before;
  }
}
