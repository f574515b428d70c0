/**
 * Pointers, wheel and keys on one frame, told as zooms, moves and looks.
 */
import { arrow, pinched, scrolled } from "./gesture.mjs";
/** @import { Point } from "./view.mjs" */

/**
 * What hands do, at points of the frame in CSS pixels.
 * @typedef {object} Deeds
 * @property {(factor: number, at: Point, plain: boolean) => boolean} zoom true where it did something; `plain`:
 *   neither Ctrl nor a pinch of fingers
 * @property {(dx: number, dy: number, picture: boolean) => void} drag `picture`: the picture is meant, not the camera
 * @property {(at: Point | null) => void} look
 * @property {() => void} reset
 * @property {(holding: boolean) => void} hold
 * @property {(event: KeyboardEvent) => boolean} key true where it did something
 */

const KEY_ZOOM = 1.25;
const KEY_MOVE = 40; // CSS pixels

/**
 * @param {HTMLElement} frame
 * @param {Deeds} deeds
 * @param {AbortSignal} signal
 */
export function attachHands(frame, deeds, signal) {
  /** @type {Map<number, Point>} */
  const fingers = new Map();
  let moves = false; // the picture is moved, not the camera

  /** @param {MouseEvent} event */
  const place = (event) => {
    const box = frame.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  /** @type {<E extends keyof HTMLElementEventMap>(name: E, heard: (event: HTMLElementEventMap[E]) => void,
   *   options?: AddEventListenerOptions) => void} */
  const on = (name, heard, options = {}) =>
    frame.addEventListener(name, heard, { ...options, signal });

  on("pointerdown", (event) => {
    if (event.button === 1 || fingers.size > 1) return;
    frame.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    moves = event.shiftKey || event.button === 2;
    deeds.hold(true);
  });
  on("pointermove", (event) => {
    const at = place(event);
    if (event.pointerType === "mouse" || fingers.size === 1) deeds.look(at);
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    if (fingers.size === 2) return pinch(event.pointerId, at);
    fingers.set(event.pointerId, at);
    deeds.drag(at.x - before.x, at.y - before.y, moves);
  });
  /** @param {number} id @param {Point} at */
  function pinch(id, at) {
    const before = /** @type {[Point, Point]} */ ([...fingers.values()]);
    fingers.set(id, at);
    const after = /** @type {[Point, Point]} */ ([...fingers.values()]);
    const { dx, dy, factor, at: middle } = pinched(before, after);
    deeds.drag(dx, dy, true);
    deeds.zoom(factor, middle, false);
  }
  /** @param {PointerEvent} event */
  const lift = (event) => {
    fingers.delete(event.pointerId);
    if (fingers.size === 0) deeds.hold(false);
    if (event.pointerType !== "mouse") deeds.look(null);
  };
  on("pointerup", lift);
  on("pointercancel", lift);
  on("lostpointercapture", lift);
  on("pointerleave", () => deeds.look(null));
  on("contextmenu", (event) => event.preventDefault());
  on("dblclick", () => deeds.reset());
  on(
    "wheel",
    (event) => {
      // Where it does nothing here, the wheel scrolls the page; with Ctrl it must not zoom that.
      if (deeds.zoom(scrolled(event), place(event), !event.ctrlKey) || event.ctrlKey) {
        event.preventDefault();
      }
    },
    { passive: false },
  );
  on("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (deeds.key(event) || known(event)) event.preventDefault();
  });

  /** @param {KeyboardEvent} event */
  function known({ key, shiftKey }) {
    const middle = { x: frame.clientWidth / 2, y: frame.clientHeight / 2 };
    const way = arrow(key);
    if (way !== null) deeds.drag(-way.x * KEY_MOVE, -way.y * KEY_MOVE, shiftKey);
    else if (key === "+" || key === "=") deeds.zoom(KEY_ZOOM, middle, false);
    else if (key === "-" || key === "_") deeds.zoom(1 / KEY_ZOOM, middle, false);
    else if (key === "0") deeds.reset();
    else return false;
    return true;
  }
}
