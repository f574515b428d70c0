/**
 * A gamepad: left stick turns, right stick moves the picture, triggers zoom, Start goes back.
 *
 * Gamepads send no events: while one is connected, and only then, it is looked at once per frame.
 */
import { type Rates, STILL } from "./rates";

/** What this needs of a Gamepad; buttons and axes in the order of the "standard" mapping. */
export interface Pad {
  readonly axes: readonly number[];
  readonly buttons: readonly { readonly value: number }[];
}

const DEAD = 0.12; // of a stick's way: it seldom comes to rest in the middle
const TURN = 2; // radians per second
const PAN = 0.8; // heights of the picture per second
const ZOOM = 1.2; // natural logarithm of size per second
const [LEFT_TRIGGER, RIGHT_TRIGGER, START] = [6, 7, 9];

/** How fast the pad moves the camera. */
export function padSpeed({ axes, buttons }: Pad): Rates {
  const [x, y] = stick(axes[0], axes[1]);
  const [u, v] = stick(axes[2], axes[3]);
  const pressed = (k: number): number => alive(buttons[k]?.value ?? 0);
  const speed = {
    azimuth: TURN * x,
    elevation: -TURN * y,
    x: -PAN * u,
    y: -PAN * v,
    zoom: ZOOM * (pressed(RIGHT_TRIGGER) - pressed(LEFT_TRIGGER)),
  };
  return Object.values(speed).some((value) => value !== 0) ? speed : STILL;
}

/** Is the button down that goes back to the start? */
export const padResets = ({ buttons }: Pad): boolean => (buttons[START]?.value ?? 0) > 0.5;

/** Without its dead middle; finer near it. */
function stick(x = 0, y = 0): readonly [number, number] {
  const far = Math.hypot(x, y);
  if (far <= DEAD) return [0, 0];
  const strength = alive(Math.min(far, 1)) ** 2 / far;
  return [x * strength, y * strength];
}

const alive = (value: number): number => Math.max(0, (value - DEAD) / (1 - DEAD));

/** Call `look` once per frame while a gamepad is connected and the page is visible, until `signal`. */
export function watchGamepads(look: (pad: Pad) => void, signal: AbortSignal): void {
  let watching = false;
  const tick = (): void => {
    if (signal.aborted) return;
    const pads = navigator.getGamepads().filter((pad) => pad !== null);
    if (pads[0] !== undefined) look(pads[0]);
    watching = pads.length > 0;
    if (watching) requestAnimationFrame(tick);
  };
  window.addEventListener(
    "gamepadconnected",
    () => {
      if (watching) return;
      watching = true;
      requestAnimationFrame(tick);
    },
    { signal },
  );
}
