/**
 * Cameras on their way to the server: one request at a time, and always the newest.
 *
 *     ask(orbit) -> send, or wait until what is under way is answered -> send the newest of what was asked since
 *
 * Time comes in as an argument, in milliseconds: there is no clock here.
 */
/** @import { Orbit } from "./orbit.mjs" */

const PATIENCE = 15_000; // milliseconds after which an answer is no longer waited for

export class Courier {
  #send;
  #serial;
  #since = -Infinity;
  /** @type {Orbit | null} */
  #waiting = null;
  #underWay = false;

  /**
   * @param {(orbit: Orbit, serial: number) => void} send
   * @param {number} serial of the last request that anybody sent before
   */
  constructor(send, serial = 0) {
    this.#send = send;
    this.#serial = serial;
  }

  /** Is an answer outstanding? */
  get busy() {
    return this.#underWay;
  }

  /** Is there anything that no answer has shown yet? */
  get behind() {
    return this.#underWay || this.#waiting !== null;
  }

  /**
   * @param {Orbit} orbit
   * @param {number} now
   */
  ask(orbit, now) {
    this.#waiting = orbit;
    if (this.#underWay && now - this.#since < PATIENCE) return;
    this.#dispatch(now);
  }

  /**
   * Pictures for request `serial` are on the screen.
   * @param {number} serial
   * @param {number} now
   */
  answered(serial, now) {
    if (serial < this.#serial) return;
    this.#serial = serial;
    this.#underWay = false;
    if (this.#waiting !== null) this.#dispatch(now);
  }

  /** @param {number} now */
  #dispatch(now) {
    const orbit = /** @type {Orbit} */ (this.#waiting);
    this.#waiting = null;
    this.#underWay = true;
    this.#since = now;
    this.#send(orbit, ++this.#serial);
  }
}
