import { describe, expect, it } from "vitest";

import { aimOf, distance, type Orbit } from "../src/camera";
import { limited } from "../src/limits";
import { Motion } from "../src/motion";
import { STILL } from "../src/rates";
import { ARC, HOME, IN_ARC, IN_RING, IN_SHELL } from "./envelope";

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
    moving.turn(50, 50);
    moving.pan(5, 5);
    moving.release({ azimuth: 100, elevation: 100, x: -100, y: 100, zoom: 100 });
    settle(moving);
    expect(distance(moving.shown, limited(moving.shown, IN_ARC))).toBeLessThan(1e-9);
    expect(moving.shown.azimuth).toBe(4.1);
    expect(moving.shown.elevation).toBe(1.2);
    expect(moving.shown.radius).toBe(1.5);
    expect(moving.shown.focal).toBe(6);
  });

  it("turns by less where things are magnified: what is looked at keeps pace with the hand", () => {
    const near = new Motion(HOME, { ...HOME, focal: 3.6 }, IN_SHELL, true);
    near.turn(0.3, 0);
    near.step(1);
    expect(near.shown.azimuth - HOME.azimuth).toBeCloseTo(0.1, 12); // 3.6 is three times 1.2
  });
});

describe("gliding", () => {
  it.each(["azimuth", "elevation", "x", "y", "zoom"] as const)(
    "goes on in %s, 0.35 seconds of its speed, and ends",
    (channel) => {
      const start = { ...HOME, focal: 3 }; // room in all directions
      const moving = new Motion({ ...start }, start, IN_SHELL, false);
      moving.release({ ...STILL, [channel]: 0.5 });
      const frames = settle(moving);
      expect(frames).toBeLessThan(150);
      const { shown } = moving;
      const aside = aimOf(shown).aside;
      const moved = {
        azimuth: shown.azimuth - HOME.azimuth,
        elevation: shown.elevation - HOME.elevation,
        x: -aside[0] * 3,
        y: aside[1] * 3,
        zoom: Math.log(shown.focal / 3),
      };
      expect(moved[channel]).toBeCloseTo(0.5 * 0.35, 1.7);
      moved[channel] = 0;
      for (const rest of Object.values(moved)) expect(Math.abs(rest)).toBeLessThan(1e-9);
    },
  );

  it("ends at once beyond the edge, in the direction of the edge only", () => {
    const low = new Motion(HOME, { ...HOME, elevation: 1.2 }, IN_RING, false);
    low.release({ ...STILL, elevation: 2 });
    expect(settle(low)).toBeLessThan(90); // frames; 130 if it went on as it does inside
    low.release({ ...STILL, azimuth: 2, elevation: 2 });
    settle(low);
    expect(low.shown.elevation).toBe(1.2);
    expect(low.shown.azimuth - HOME.azimuth).toBeCloseTo(2 * 0.35, 1);
  });

  it("is taken over by a hand where the camera is, not where it was going", () => {
    const moving = motion();
    moving.release({ ...STILL, azimuth: 6 });
    for (let k = 0; k < 6; k++) moving.step(1 / 60);
    const { azimuth } = moving.shown;
    moving.hold();
    settle(moving);
    expect(moving.shown.azimuth).toBe(azimuth);
  });
});

describe("at the edge", () => {
  /** Elevations shown while a hand pulls upwards by `pull` radians in steps, then lets go. */
  function pulled(pull: number, rate = 60): { held: number[]; after: number[] } {
    const moving = new Motion(HOME, { ...HOME, elevation: 1.1 }, IN_RING, false);
    const [held, after]: [number[], number[]] = [[], []];
    moving.hold();
    for (let k = 0; k < rate; k++) {
      moving.turn(0, pull / rate);
      moving.step(1 / rate);
      held.push(moving.shown.elevation);
    }
    for (let k = 0; k < rate; k++) held.push((moving.step(1 / rate), moving.shown.elevation));
    moving.release();
    while (moving.step(1 / rate)) after.push(moving.shown.elevation);
    expect(moving.shown.elevation).toBe(1.2); // exactly, and at rest
    return { held, after };
  }

  it("gives way ever less, at most 4 hundredths of a radian, and springs back", () => {
    const { held, after } = pulled(3);
    expect(Math.max(...held)).toBeGreaterThan(1.2 + 0.035);
    expect(Math.max(...held)).toBeLessThanOrEqual(1.2 + 0.04 + 1e-9);
    for (let k = 1; k < held.length; k++) expect(held[k]!).toBeGreaterThanOrEqual(held[k - 1]!);
    for (let k = 1; k < after.length; k++) expect(after[k]!).toBeLessThanOrEqual(after[k - 1]!);
    expect(after.length).toBeLessThan(60); // frames: back within a second
  });

  it("never jumps: not at the edge, not under the hand, not when it lets go", () => {
    const { held, after } = pulled(3);
    const path = [...held, ...after];
    for (let k = 1; k < path.length; k++) {
      expect(Math.abs(path[k]! - path[k - 1]!)).toBeLessThan(0.06); // the hand: 0.05 per frame
    }
    for (let k = 1; k < after.length; k++) {
      expect(Math.abs(after[k]! - after[k - 1]!)).toBeLessThan(0.005);
    }
  });

  it("is the same at any frame rate", () => {
    const [slow, fast] = [pulled(1.5, 20), pulled(1.5, 200)];
    expect(slow.held.at(-1)).toBeCloseTo(fast.held.at(-1)!, 3);
    expect(slow.after.length / 20).toBeCloseTo(fast.after.length / 200, 0);
  });

  it("lets go as soon as the hand turns back", () => {
    const moving = new Motion(HOME, { ...HOME, elevation: 1.2 }, IN_RING, false);
    moving.hold();
    moving.turn(0, 5);
    moving.turn(0, -0.25); // a pull counts for 0.2 at most
    settle(moving);
    expect(moving.shown.elevation).toBeCloseTo(1.15, 9);
  });

  it("springs back from a wheel too, which never lets go", () => {
    const moving = new Motion(HOME, { ...HOME, radius: 1.5, focal: 6 }, IN_RING, false);
    moving.zoom(1.5);
    let most = 0;
    while (moving.step(1 / 60)) most = Math.max(most, moving.shown.focal);
    expect(most).toBeGreaterThan(6.02);
    expect(moving.shown.focal).toBe(6);
  });

  it("rests under held keys, a little past the edge, and springs back after them", () => {
    const moving = new Motion(HOME, { ...HOME, elevation: 1.2 }, IN_RING, false);
    moving.drive({ ...STILL, elevation: 1.2 });
    for (let k = 0; k < 120; k++) moving.step(1 / 60);
    const first = moving.shown.elevation;
    moving.step(1 / 60);
    expect(moving.shown.elevation).toBeCloseTo(first, 6); // no shaking
    expect(first - 1.2).toBeGreaterThan(0.01);
    expect(first - 1.2).toBeLessThan(0.04);
    moving.drive(STILL);
    settle(moving);
    expect(moving.shown.elevation).toBe(1.2);
  });

  it("does not give at all when calm", () => {
    const moving = motion(true);
    moving.hold();
    moving.turn(0, 3);
    moving.step(1 / 60);
    expect(moving.shown.elevation).toBe(1.2);
    expect(moving.step(1 / 60)).toBe(false);
  });
});

describe("a trip", () => {
  const there: Orbit = { ...HOME, azimuth: 1.7, focal: 3, offset: [0.2, 0.1, -0.2] };

  it("ends exactly there, or next to it where that is outside", () => {
    const moving = motion();
    moving.travel({ ...there, elevation: 3 });
    settle(moving);
    expect(moving.shown).toEqual(limited({ ...there, elevation: 3 }, IN_RING));
  });

  it("starts and ends softly, fastest in the middle", () => {
    const moving = motion();
    moving.travel(there);
    const path = [moving.shown.azimuth];
    while (moving.step(1 / 60)) path.push(moving.shown.azimuth);
    const speeds = path.slice(1).map((x, k) => 60 * (x - path[k]!));
    expect(speeds[0]!).toBeLessThan(0.1);
    expect(speeds.at(-2)!).toBeLessThan(0.1);
    expect(Math.max(...speeds)).toBeGreaterThan(1.5);
    expect(Math.max(...speeds)).toBeLessThan(3);
  });

  it("is given up for a hand, from where it has come", () => {
    const moving = motion();
    moving.travel(there);
    for (let k = 0; k < 20; k++) moving.step(1 / 60);
    const { azimuth } = moving.shown;
    moving.hold();
    moving.turn(0.01, 0);
    settle(moving);
    expect(Math.abs(moving.shown.azimuth - azimuth)).toBeLessThan(0.011);
  });

  it("is no trip but a step when calm", () => {
    const moving = motion(true);
    moving.travel(there);
    moving.step(1 / 60);
    expect(moving.shown).toEqual(there);
  });

  it("is at once where it is placed, inside, whatever it was doing", () => {
    const moving = motion();
    moving.release({ ...STILL, azimuth: 2 });
    moving.travel({ ...HOME, azimuth: 3 });
    moving.place({ ...HOME, azimuth: 1, radius: 3 });
    expect(moving.shown).toMatchObject({ azimuth: 1, radius: 3 });
    expect(moving.step(1 / 60)).toBe(false);
    moving.place({ ...HOME, radius: 99 });
    expect(moving.shown.radius).toBe(IN_RING.envelope.radius[1]);
    expect(moving.step(1 / 60)).toBe(false);
  });
});
