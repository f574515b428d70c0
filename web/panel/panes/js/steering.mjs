/**
 * The camera under the visitor's hand, and what the server has shown of it.
 *
 *     hand --turned, nearer--> goal --Courier--> server --pictures--> answered: the goal is the server's again
 */
import { Courier } from "./courier.mjs";
import { nearer, turned } from "./orbit.mjs";
/** @import { Orbit, Reach } from "./orbit.mjs" */
/** @import { PanesData } from "./types.d.ts" */

export class Steering {
  #courier;
  /** @type {Orbit} */
  #goal;
  /** @type {Reach} */
  #reach;
  /** Does a drag turn the camera? Else it moves the picture. */
  turns = true;

  /**
   * @param {NonNullable<PanesData["steer"]>} steer what the first pictures show
   * @param {Reach} reach
   * @param {(orbit: Orbit & { serial: number }) => void} send
   */
  constructor(steer, reach, send) {
    [this.#goal, this.#reach] = [steer, reach];
    this.#courier = new Courier((orbit, serial) => send({ ...orbit, serial }), steer.answers);
  }

  /** Is there anything that no picture has shown yet? */
  get behind() {
    return this.#courier.behind;
  }

  /** By (dx, dy) heights of the picture.
   * @param {number} dx @param {number} dy */
  turn(dx, dy) {
    this.#ask(turned(this.#goal, dx, dy, this.#reach));
  }

  /** @param {number} factor how many times larger things get */
  approach(factor) {
    this.#ask(nearer(this.#goal, factor, this.#reach));
  }

  /**
   * Pictures of `steer` are on the screen.
   * @param {NonNullable<PanesData["steer"]>} steer
   * @param {Reach} reach
   * @param {boolean} held by a hand, which knows better where the camera is
   */
  answered(steer, reach, held) {
    this.#reach = reach;
    this.#courier.answered(steer.answers, performance.now());
    if (!this.behind && !held) this.#goal = steer;
  }

  /** @param {Orbit} orbit */
  #ask({ azimuth, elevation, radius }) {
    this.#goal = { azimuth, elevation, radius };
    this.#courier.ask(this.#goal, performance.now());
  }
}
