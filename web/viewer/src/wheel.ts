/** What a wheel says, of a mouse or under two fingers on a trackpad: no page. */

/** What this needs of a WheelEvent. */
export interface Scroll {
  readonly deltaX: number;
  readonly deltaY: number;
  /** 0: pixels, 1: lines, 2: pages. */
  readonly deltaMode: number;
  readonly ctrlKey: boolean;
  readonly shiftKey: boolean;
}

/** Pixels. One notch of a mouse is 100 to 120 pixels, or 3 lines, or a page. */
const UNITS = [1, 100 / 3, 100];
const WHEEL = 0.0015; // natural logarithm of size per pixel
const PINCH = 0.01; // the same for a trackpad's pinch, which browsers report as a wheel with Ctrl
const NOTCH = 0.25; // the most that a wheel with Ctrl does at once: it may be a mouse's after all
const MOST = 1; // the most that any does at once

/** How much larger things get, as a natural logarithm. */
export function scrolled({ deltaX, deltaY, deltaMode, ctrlKey, shiftKey }: Scroll): number {
  const along = deltaY === 0 && shiftKey ? deltaX : deltaY; // with Shift some browsers swap them
  const pixels = along * (UNITS[deltaMode] ?? 1);
  const [scale, most] = ctrlKey ? [PINCH, NOTCH] : [WHEEL, MOST];
  return Math.min(Math.max(-pixels * scale, -most), most);
}
