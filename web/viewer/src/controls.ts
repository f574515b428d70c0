/**
 * Mouse, touch, trackpad and keyboard on the stage.
 *
 *     DOM events -> gesture.ts, wheel.ts, keys.ts -> motion.ts
 *
 * What has keys of its own (a field, a dialogue, a slider) keeps them, and so does whoever calls
 * preventDefault before the event has come up to the document.
 */
import { Gesture, type Point } from "./gesture";
import { Keys } from "./keys";
import type { Motion } from "./motion";
import { scrolled } from "./wheel";

/** What hands can ask for besides moving. */
export interface Actions {
  /** A hand has changed something: a frame may be due. */
  wake(): void;
  reset(): void;
  /** Look at what is at (x, y), in fractions of the picture. */
  focus(x: number, y: number): void;
  /** Start or stop going round. */
  rotate(): void;
}

/** Where things are in `picture`, whose principal point is at the fractions `centre`. */
class Picture {
  constructor(
    private readonly element: HTMLElement,
    private readonly centre: Point,
  ) {}

  /** In heights of the picture, from its upper left corner. */
  at({ clientX, clientY }: { clientX: number; clientY: number }): Point {
    const { left, top, height } = this.element.getBoundingClientRect();
    return [(clientX - left) / height, (clientY - top) / height];
  }

  /** As fractions of its width and height. */
  fractions([x, y]: Point): Point {
    const { width, height } = this.element.getBoundingClientRect();
    return [(x * height) / width, y];
  }

  /** As moves.ts has it: from where the camera looks, y up. */
  place([x, y]: Point): Point {
    const { width, height } = this.element.getBoundingClientRect();
    return [x - (this.centre[0] * width) / height, this.centre[1] - y];
  }
}

/** For whoever counts the time. */
export interface Hands {
  /** Once per frame, before the camera moves on. */
  frame(): void;
  /** The keys that are held. */
  readonly keys: Keys;
}

/** Let `stage` steer `motion` until `signal` says that it is over. */
export function attachControls(
  stage: HTMLElement,
  element: HTMLElement,
  centre: Point,
  motion: Motion,
  actions: Actions,
  signal: AbortSignal,
): Hands {
  const picture = new Picture(element, centre);
  const keys = new Keys();
  const gesture = attachPointers(stage, picture, motion, actions, signal);
  attachWheel(stage, picture, motion, actions, signal);
  attachPinch(stage, picture, motion, actions, signal);
  attachKeys(keys, motion, actions, signal);
  for (const type of ["contextmenu", "selectstart", "dragstart", "dblclick"]) {
    stage.addEventListener(type, (event) => event.preventDefault(), { signal });
  }
  return { frame: () => gesture.frame(), keys };
}

function attachPointers(
  stage: HTMLElement,
  picture: Picture,
  motion: Motion,
  { wake, focus }: Actions,
  signal: AbortSignal,
): Gesture {
  const gesture = new Gesture(
    motion,
    (at) => picture.place(at),
    (at) => focus(...picture.fractions(at)),
  );
  const seconds = (event: Event): number => event.timeStamp / 1000;
  const up = (event: PointerEvent): void => {
    wake(); // first: it may end in a double tap, which waits for no hand to be at work
    gesture.up(event.pointerId, seconds(event));
  };
  const cancel = (event: PointerEvent): void => {
    if (gesture.cancel(event.pointerId)) wake();
  };
  stage.addEventListener(
    "pointerdown",
    (event) => {
      stage.setPointerCapture(event.pointerId); // it may leave the window, and come back
      const move = event.button !== 0 || event.shiftKey;
      gesture.down(event.pointerId, picture.at(event), seconds(event), move);
      wake();
    },
    { signal },
  );
  stage.addEventListener(
    "pointermove",
    (event) => {
      if (event.buttons === 0) return cancel(event); // let go where nobody saw it
      if (gesture.move(event.pointerId, picture.at(event), seconds(event))) wake();
    },
    { signal },
  );
  stage.addEventListener("pointerup", up, { signal });
  stage.addEventListener("pointercancel", cancel, { signal });
  stage.addEventListener("lostpointercapture", cancel, { signal }); // after pointerup there is nothing to cancel
  stage.addEventListener(
    "mousedown",
    (event) => {
      if (event.button === 1) event.preventDefault(); // the middle button would scroll by itself
    },
    { signal },
  );
  return gesture;
}

function attachWheel(
  stage: HTMLElement,
  picture: Picture,
  motion: Motion,
  { wake }: Actions,
  signal: AbortSignal,
): void {
  const zoom = (event: WheelEvent): void => {
    event.preventDefault(); // not passive: the page must not scroll or zoom as well
    const size = scrolled(event);
    if (size === 0) return;
    motion.zoom(Math.exp(size), picture.place(picture.at(event)));
    wake();
  };
  stage.addEventListener("wheel", zoom, { passive: false, signal });
}

/** Safari tells of a trackpad's pinch, and of one on a touch screen as well, in its own way. */
interface SafariGesture extends UIEvent {
  readonly scale: number;
  readonly clientX: number;
  readonly clientY: number;
}

function attachPinch(
  stage: HTMLElement,
  picture: Picture,
  motion: Motion,
  { wake }: Actions,
  signal: AbortSignal,
): void {
  let scale = 1;
  const byTouch = navigator.maxTouchPoints > 0; // then the pointers' events tell the same
  const listen = (type: string, heard: (event: SafariGesture) => void): void =>
    stage.addEventListener(
      type,
      (event) => {
        event.preventDefault(); // else the page is magnified
        if (!byTouch) heard(event as SafariGesture);
      },
      { signal },
    );
  listen("gesturestart", () => (scale = 1));
  listen("gesturechange", (event) => {
    motion.zoom(event.scale / scale, picture.place(picture.at(event)));
    scale = event.scale;
    wake();
  });
  listen("gestureend", () => {});
}

function attachKeys(keys: Keys, motion: Motion, actions: Actions, signal: AbortSignal): void {
  const presses: Readonly<Record<string, () => void>> = {
    r: () => actions.reset(),
    Home: () => actions.reset(),
    f: () => actions.focus(0.5, 0.5),
    p: () => actions.rotate(),
  };
  const clear = (): void => keys.clear();
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return clear(); // the browser's own
      if (event.defaultPrevented || isElsewhere(event.target)) return;
      const press = presses[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (press === undefined && !Keys.moves(event.key)) return;
      event.preventDefault(); // PageDown scrolls
      if (event.repeat) return; // held keys are counted by time
      if (press !== undefined) return press();
      const step = keys.down(event.code, event.key, event.shiftKey, event.timeStamp / 1000);
      if (step === null) return;
      motion.by(step);
      actions.wake();
    },
    { signal },
  );
  document.addEventListener("keyup", (event) => keys.up(event.code), { signal });
  window.addEventListener("blur", clear, { signal });
  document.addEventListener("visibilitychange", clear, { signal });
}

/** A dialogue, a field or a slider has keys of its own. */
const isElsewhere = (target: EventTarget | null): boolean =>
  target instanceof Element &&
  target.closest("dialog, input, textarea, select, [contenteditable], [role=slider]") !== null;
