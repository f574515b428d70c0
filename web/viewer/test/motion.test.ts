import { describe, expect, it } from "vitest";

import { distance } from "../src/camera";
import { Motion } from "../src/motion";
import { STILL } from "../src/rates";
import { ARC, HOME, IN_ARC, IN_RING } from "./envelope";

const motion = (calm = false): Motion => new Motion(HOME, HOME, IN_RING, calm);

/** Steps until rest; throws where that does not come. */
function settle(moving: Motion, seconds = 1 / 60): number {
  for (let frames = 1; frames < 1000; frames++) if (!moving.step(seconds)) return frames;
  throw new Error("never comes to rest");
}

describe("Motion", () => {
  it("is at rest until something happens, and again after it", () => {
    const moving = motion();
    expect(moving.step(1 / 60)).toBe(false);
    moving.turn(0.5, 0.1);
    expect(moving.step(1 / 60)).toBe(true);
    settle(moving);
    expect(moving.shown.azimuth).toBe(HOME.azimuth + 0.5); // exactly
    expect(moving.step(1 / 60)).toBe(false);
  });

  it("takes the same path at any frame rate", () => {
    const ends = [10, 30, 240].map((rate) => {
      const moving = motion();
      moving.release({ ...STILL, azimuth: 2, elevation: 0.3 });
      for (let k = 0; k < rate; k++) moving.step(1 / rate);
      return moving.shown;
    });
    expect(distance(ends[0]!, ends[2]!)).toBeLessThan(0.02);
    expect(distance(ends[1]!, ends[2]!)).toBeLessThan(0.02);
  });

  it("glides as far as speed times decay time", () => {
    const moving = motion();
    moving.release({ ...STILL, azimuth: 3, elevation: 0 });
    settle(moving);
    expect(moving.shown.azimuth - HOME.azimuth).toBeCloseTo(3 * 0.35, 1);
  });

  it("glides by two radians at most, in the same direction", () => {
    const moving = motion();
    moving.release({ ...STILL, azimuth: 300, elevation: 0 });
    settle(moving);
    expect(moving.shown.azimuth - HOME.azimuth).toBeCloseTo(6 * 0.35, 1);
  });

  it("stops gliding under a finger", () => {
    const moving = motion();
    moving.release({ ...STILL, azimuth: 3, elevation: 0 });
    moving.step(1 / 60);
    moving.hold();
    const frames = settle(moving);
    expect(frames).toBeLessThan(40);
    expect(Math.abs(moving.shown.azimuth - HOME.azimuth)).toBeLessThan(0.1);
  });

  it("neither smooths nor glides when calm", () => {
    const moving = motion(true);
    moving.turn(0.5, 0);
    moving.release({ ...STILL, azimuth: 3, elevation: 0 });
    moving.step(1 / 60);
    expect(moving.shown.azimuth).toBe(HOME.azimuth + 0.5);
    expect(moving.step(1 / 60)).toBe(false);
  });

  it("goes back to the start the short way round", () => {
    const moving = motion();
    moving.turn(4 * Math.PI + 0.2, 0.3);
    settle(moving);
    moving.reset();
    settle(moving);
    expect(moving.shown.azimuth).toBeCloseTo(HOME.azimuth + 4 * Math.PI, 12);
    expect(moving.shown.elevation).toBe(HOME.elevation);
  });

  it("goes back along the arc, never through the part that is left out", () => {
    const wide = { ...IN_ARC, envelope: { ...ARC, azimuth: [0, 6] as const } };
    const moving = new Motion({ ...HOME, azimuth: 0.1 }, { ...HOME, azimuth: 5.9 }, wide, false);
    moving.reset();
    settle(moving);
    expect(moving.shown.azimuth).toBe(0.1);
  });

  it("stays inside the envelope whatever is asked", () => {
    const moving = new Motion(HOME, HOME, IN_ARC, false);
    moving.zoom(100);
    moving.pan(5, 5);
    moving.release({ ...STILL, azimuth: 100, elevation: 100 });
    settle(moving);
    expect(moving.shown.azimuth).toBeLessThanOrEqual(4.1);
    expect(moving.shown.elevation).toBeLessThanOrEqual(1.2);
    expect(moving.shown.radius).toBe(1.5);
    expect(moving.shown.focal).toBe(6);
  });
});
