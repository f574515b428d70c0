/**
 * What a wheel, fingers and keys mean: pure.
 */

/** @typedef {{ readonly deltaX: number, readonly deltaY: number, readonly deltaMode: number,
 *   readonly ctrlKey: boolean, readonly shiftKey: boolean }} Scroll */
/** @import { Point } from "./view.mjs" */

// As on the viewer's page (wheel.ts). One notch of a mouse is 100 to 120 pixels, or 3 lines, or a page.
const UNITS = [1, 100 / 3, 100];
const WHEEL = 0.0015; // natural logarithm of size per pixel
const PINCH = 0.01; // the same for a trackpad's pinch, which browsers report as a wheel with Ctrl
const MOST = { wheel: 1, pinch: 0.25 };

/** How many times larger things get.
 * @param {Scroll} scroll */
export function scrolled({ deltaX, deltaY, deltaMode, ctrlKey, shiftKey }) {
  const along = deltaY === 0 && shiftKey ? deltaX : deltaY; // with Shift some browsers swap them
  const pixels = along * (UNITS[deltaMode] ?? 1);
  const [scale, most] = ctrlKey ? [PINCH, MOST.pinch] : [WHEEL, MOST.wheel];
  return Math.exp(Math.min(Math.max(-pixels * scale, -most), most));
}

/** Two fingers before and after: how far their middle went, and how many times farther apart they are.
 * @param {readonly [Point, Point]} before
 * @param {readonly [Point, Point]} after */
export function pinched(before, after) {
  const [from, to] = [middle(before), middle(after)];
  const [was, is] = [spread(before), spread(after)];
  return { at: to, dx: to.x - from.x, dy: to.y - from.y, factor: was > 0 && is > 0 ? is / was : 1 };
}

/** @type {(pair: readonly [Point, Point]) => Point} */
const middle = ([a, b]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
/** @type {(pair: readonly [Point, Point]) => number} */
const spread = ([a, b]) => Math.hypot(a.x - b.x, a.y - b.y);

/** @type {Readonly<Record<string, Point>>} */
const ARROWS = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** Which way an arrow key points, x to the right and y downwards; null for any other key.
 * @type {(key: string) => Point | null} */
export const arrow = (key) => ARROWS[key] ?? null;

/** @type {Readonly<Record<string, number>>} */
const STEPS = {
  ArrowLeft: -2,
  ArrowDown: -2,
  ArrowRight: 2,
  ArrowUp: 2,
  PageDown: -10,
  PageUp: 10,
  Home: -100,
  End: 100,
};

/** Where the divider goes from `percent` by this key, as on the viewer's page; null for a key that is not its own.
 * @type {(key: string, percent: number) => number | null} */
export function dividerAfter(key, percent) {
  const step = STEPS[key];
  return step === undefined ? null : Math.min(Math.max(percent + step, 0), 100);
}
