import { describe, expect, it } from "vitest";

import { Rotation } from "../src/rotation";
import { ARC, RING } from "./envelope";

/** Azimuths, one per frame, from `azimuth` on. */
function* going(envelope: typeof RING, azimuth: number, rate: number): Generator<number, never> {
  const rotation = new Rotation(envelope);
  for (let at = azimuth; ;) yield (at += rotation.advance(at, 1 / rate));
}

function after(envelope: typeof RING, azimuth: number, seconds: number, rate = 60): number {
  const frames = going(envelope, azimuth, rate);
  for (let k = 1; k < seconds * rate; k++) frames.next();
  return frames.next().value;
}

describe("Rotation", () => {
  it("goes all the way round, once in 25 seconds, from a soft start", () => {
    const first = after(RING, 0.7, 0.1) - 0.7;
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(0.1 * 0.25 * 0.1);
    expect(after(RING, 0.7, 30) - after(RING, 0.7, 5)).toBeCloseTo(25 * 0.25, 6);
  });

  it("goes to and fro on an arc, never past its ends", () => {
    const seen: number[] = [];
    const frames = going(ARC, 3, 30);
    for (let k = 0; k < 60 * 30; k++) seen.push(frames.next().value);
    const far = 0.8 * 0.8; // of half the arc's 1.6 radians
    expect(Math.max(...seen)).toBeCloseTo(3.3 + far, 3);
    expect(Math.min(...seen)).toBeCloseTo(3.3 - far, 3);
    const turns = seen.filter((x, k) => k > 1 && (x - seen[k - 1]!) * (seen[k - 1]! - seen[k - 2]!) < 0); // prettier-ignore
    expect(turns.length).toBeGreaterThan(5);
  });

  it("starts from where the camera is, without a jump", () => {
    for (const azimuth of [2.5, 2.9, 3.3, 4.1, 4.1 + 2 * Math.PI]) {
      const frames = going(ARC, azimuth, 60);
      let [before, least, most] = [azimuth, azimuth, azimuth];
      for (let k = 0; k < 3000; k++) {
        const now = frames.next().value;
        expect(Math.abs(now - before)).toBeLessThan(0.3 / 60);
        [before, least, most] = [now, Math.min(least, now), Math.max(most, now)];
      }
      expect(most - least).toBeGreaterThan(1);
    }
  });

  it("is as fast at any frame rate", () => {
    for (const envelope of [RING, ARC]) {
      expect(after(envelope, 3, 8, 20)).toBeCloseTo(after(envelope, 3, 8, 120), 1);
    }
  });
});
