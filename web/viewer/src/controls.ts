/** Mouse, touch, trackpad and keyboard on the stage. */
import { Gesture } from "./gesture";
import type { Motion } from "./motion";

const STEP = Math.PI / 36; // radians per arrow key
const SHIFT = 0.05; // heights of the picture per arrow key with Shift
const KEY_ZOOM = 1.1;
const LINE = 16; // pixels, for wheels that count in lines
const WHEEL = 0.0015; // natural logarithm of the zoom per pixel of wheel
const PINCH = 0.01; // the same for a trackpad's pinch, which browsers report as a wheel with Ctrl

/** A key's action; `x` and `y` tell the arrows apart. */
type KeyAction = (motion: Motion, shift: boolean) => void;

const arrow =
  (x: number, y: number): KeyAction =>
  (motion, shift) =>
    shift ? motion.pan(-x * SHIFT, -y * SHIFT) : motion.turn(x * STEP, -y * STEP);

const KEYS: Record<string, KeyAction> = {
  ArrowLeft: arrow(-1, 0),
  ArrowRight: arrow(1, 0),
  ArrowUp: arrow(0, -1),
  ArrowDown: arrow(0, 1),
  "+": (motion) => motion.zoom(KEY_ZOOM),
  "=": (motion) => motion.zoom(KEY_ZOOM), // the same key without Shift
  "-": (motion) => motion.zoom(1 / KEY_ZOOM),
  r: (motion) => motion.reset(),
};

/**
 * Let `stage` steer `motion`; distances are measured in heights of `picture`; `wake` is called
 * after each change.
 */
export function attachControls(
  stage: HTMLElement,
  picture: HTMLElement,
  motion: Motion,
  wake: () => void,
): void {
  attachPointers(stage, picture, new Gesture(motion), wake);
  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault(); // not passive: the page must not scroll or zoom as well
      const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE);
      motion.zoom(Math.exp(-pixels * (event.ctrlKey ? PINCH : WHEEL)));
      wake();
    },
    { passive: false },
  );
  document.addEventListener("keydown", (event) => {
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : KEYS[event.key];
    if (action === undefined || isElsewhere(event.target)) return;
    event.preventDefault();
    action(motion, event.shiftKey);
    wake();
  });
}

/** A dialogue or a field has keys of its own. */
const isElsewhere = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest("dialog, input, textarea, select") !== null;

function attachPointers(
  stage: HTMLElement,
  picture: HTMLElement,
  gesture: Gesture,
  wake: () => void,
): void {
  const at = (event: PointerEvent): [number, number] => {
    const { height } = picture.getBoundingClientRect();
    return [event.clientX / height, event.clientY / height];
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    gesture.down(
      event.pointerId,
      ...at(event),
      event.timeStamp / 1000,
      event.button !== 0 || event.shiftKey,
    );
    wake();
  });
  stage.addEventListener("pointermove", (event) => {
    if (gesture.move(event.pointerId, ...at(event), event.timeStamp / 1000)) wake();
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    stage.addEventListener(end, (event) => {
      gesture.up(event.pointerId, event.timeStamp / 1000);
      wake();
    });
  }
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
}
