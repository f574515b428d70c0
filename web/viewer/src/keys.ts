/**
 * Held keys: no page, no clock of its own.
 *
 * A key moves the camera by one step as it goes down, and steadily for as long as it is held: from
 * when it would have come as far as that step, so that nothing halts in between. How often the
 * keyboard repeats does not matter.
 */
import { type Rates, rates, STILL, sum } from "./rates";

const TURN = { step: Math.PI / 36, speed: 1.2 }; // radians, and per second
const PAN = { step: 0.05, speed: 0.6 }; // heights of the picture
const ZOOM = { step: Math.log(1.1), speed: 1 }; // natural logarithm of size

interface Action {
  /** What one press does. */
  readonly step: Rates;
  /** Per second, while it is held. */
  readonly speed: Rates;
}

const action = (amount: { step: number; speed: number }, of: Partial<Rates>): Action => ({
  step: rates((channel) => (of[channel] || 0) * amount.step),
  speed: rates((channel) => (of[channel] || 0) * amount.speed),
});

/** x and y tell the arrows apart: to the right and downwards. */
const arrow = (x: number, y: number): readonly [Action, Action] => [
  action(TURN, { azimuth: x, elevation: -y }),
  action(PAN, { x: -x, y: -y }),
];
const zoom = (sign: number): readonly [Action, Action] => {
  const both = action(ZOOM, { zoom: sign });
  return [both, both];
};

/** Without and with Shift. */
const ACTIONS: Readonly<Record<string, readonly [Action, Action]>> = {
  ArrowLeft: arrow(-1, 0),
  ArrowRight: arrow(1, 0),
  ArrowUp: arrow(0, -1),
  ArrowDown: arrow(0, 1),
  "+": zoom(1),
  "=": zoom(1), // the same key without Shift
  PageUp: zoom(1),
  "-": zoom(-1),
  _: zoom(-1),
  PageDown: zoom(-1),
};

interface Held {
  readonly action: Action;
  readonly since: number;
}

/** Keys are told apart by `code`: which letter one gives depends on Shift. */
export class Keys {
  readonly #held = new Map<string, Held>();

  /** Is it one of the keys that move the camera? */
  static moves(key: string): boolean {
    return Object.hasOwn(ACTIONS, key);
  }

  /** A key goes down, at `time` in seconds: what it does at once, null where it does nothing. */
  down(code: string, key: string, shift: boolean, time: number): Rates | null {
    if (!Keys.moves(key) || this.#held.has(code)) return null;
    const action = ACTIONS[key]![shift ? 1 : 0];
    this.#held.set(code, { action, since: time });
    return action.step;
  }

  /** It goes up. */
  up(code: string): void {
    this.#held.delete(code);
  }

  /** The window has lost the keyboard, and will not hear of keys that go up. */
  clear(): void {
    this.#held.clear();
  }

  /** Is any held? */
  get any(): boolean {
    return this.#held.size > 0;
  }

  /** How fast the held keys move the camera at `time`. */
  speed(time: number): Rates {
    let total = STILL;
    for (const { action, since } of this.#held.values()) {
      if (time - since > duration(action)) total = sum(total, action.speed);
    }
    return total;
  }
}

/** For which a key has to be held to come as far as its first step. */
function duration({ step, speed }: Action): number {
  const moving = (Object.keys(speed) as (keyof Rates)[]).find((channel) => speed[channel] !== 0)!;
  return step[moving] / speed[moving];
}
