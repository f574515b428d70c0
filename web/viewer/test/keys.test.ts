import { beforeEach, describe, expect, it } from "vitest";

import { Keys } from "../src/keys";
import { type Rates, STILL } from "../src/rates";

describe("Keys", () => {
  let keys: Keys;
  beforeEach(() => (keys = new Keys()));

  /** How far `held` seconds at one key go in one channel, counted in frames of `frame` seconds. */
  function way(key: string, held: number, channel: keyof Rates, frame = 1 / 240): number {
    let sum = keys.down("Key", key, false, 0)![channel];
    for (let time = 0; time < held; time += frame) sum += keys.speed(time)[channel] * frame;
    keys.up("Key");
    expect(keys.speed(held)).toEqual(STILL);
    return sum;
  }

  it("takes one step for a tap: 5 degrees, a twentieth of the picture, a tenth", () => {
    expect(keys.down("a", "ArrowRight", false, 0)).toEqual({ ...STILL, azimuth: Math.PI / 36 });
    expect(keys.down("b", "ArrowUp", true, 0)).toEqual({ ...STILL, y: 0.05 });
    expect(keys.down("c", "+", true, 0)!.zoom).toBeCloseTo(Math.log(1.1), 12);
    expect(keys.down("d", "PageDown", false, 0)!.zoom).toBeCloseTo(-Math.log(1.1), 12);
  });

  it.each([
    ["ArrowLeft", "azimuth", -1.2],
    ["ArrowDown", "elevation", -1.2],
    ["-", "zoom", -1],
  ] as const)("then moves steadily while %s is held", (key, channel, speed) => {
    for (const held of [0.5, 1.5]) expect(way(key, held, channel)).toBeCloseTo(speed * held, 1);
  });

  it("does not stand still between the first step and the steady movement", () => {
    const step = keys.down("a", "ArrowRight", false, 10)!.azimuth;
    const since = step / 1.2; // when a steady movement would have come as far
    expect(keys.speed(10 + since - 1e-3)).toEqual(STILL);
    expect(keys.speed(10 + since + 1e-3).azimuth).toBe(1.2);
  });

  it("adds up keys, and two against each other to nothing", () => {
    keys.down("a", "ArrowRight", false, 0);
    keys.down("b", "ArrowUp", false, 0);
    expect(keys.speed(1)).toEqual({ ...STILL, azimuth: 1.2, elevation: 1.2 });
    keys.down("c", "ArrowLeft", false, 0);
    expect(keys.speed(1).azimuth).toBe(0);
  });

  it("knows a key by its place: what it gives may change while it is held", () => {
    keys.down("Equal", "+", true, 0);
    keys.up("Equal"); // by then Shift was up: the event says "="
    expect(keys.any).toBe(false);
  });

  it("counts a key that repeats once", () => {
    keys.down("a", "ArrowRight", false, 0);
    expect(keys.down("a", "ArrowRight", false, 0.5)).toBeNull();
    expect(keys.speed(1).azimuth).toBe(1.2);
  });

  it("forgets all of them when the window loses the keyboard", () => {
    keys.down("a", "ArrowRight", false, 0);
    keys.clear();
    expect([keys.any, keys.speed(1)]).toEqual([false, STILL]);
  });

  it("leaves every other key alone", () => {
    for (const key of ["a", "Tab", " ", "Enter", "toString", "__proto__"]) {
      expect(Keys.moves(key)).toBe(false);
      expect(keys.down("x", key, false, 0)).toBeNull();
    }
  });
});
