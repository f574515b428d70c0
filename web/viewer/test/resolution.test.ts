import { describe, expect, it } from "vitest";

import { type RenditionName, Resolution } from "../src/resolution";

/** Milliseconds of a frame of each rendition. */
type Device = Readonly<Record<RenditionName, number>>;

/** Move for `frames` frames on `device`; what each was drawn with, one letter a frame. */
function move(resolution: Resolution, device: Device, frames: number): string {
  let drawn = "";
  for (let k = 0; k < frames; k++) {
    const chosen = resolution.choose(true);
    resolution.drawn(chosen, device[chosen]);
    drawn += chosen[0];
  }
  return drawn;
}

/** Come to rest, with a last frame where one is needed. */
function rest(resolution: Resolution, device: Device): string {
  if (!resolution.blurred) return "";
  const chosen = resolution.choose(false);
  resolution.drawn(chosen, device[chosen]);
  return chosen[0]!;
}

describe("Resolution", () => {
  it("stays at full size where that keeps the frame rate", () => {
    const resolution = new Resolution(true); // 30 a second: 33.3 ms
    expect(move(resolution, { full: 33, reduced: 9 }, 50)).toBe("f".repeat(50));
    expect(rest(resolution, { full: 33, reduced: 9 })).toBe("");
  });

  it("reduces after the waking frame, two cold ones and three that count", () => {
    const resolution = new Resolution(true);
    expect(move(resolution, { full: 80, reduced: 25 }, 12)).toBe("ffffffrrrrrr");
  });

  it("draws the last picture once more at full size at rest", () => {
    const resolution = new Resolution(true);
    const device = { full: 80, reduced: 25 };
    move(resolution, device, 12);
    expect(resolution.blurred).toBe(true);
    expect(rest(resolution, device)).toBe("f");
    expect(resolution.blurred).toBe(false);
    expect(rest(resolution, device)).toBe("");
    expect(move(resolution, device, 4)).toBe("rrrr"); // it has not forgotten
  });

  it("takes the frame rate that is asked for", () => {
    const device = { full: 80, reduced: 25 };
    expect(move(new Resolution(true, 10), device, 30)).toBe("f".repeat(30));
    expect(move(new Resolution(true, 60), { full: 20, reduced: 6 }, 8)).toBe("ffffffrr");
  });

  it("never reduces a model without a smaller rendition", () => {
    expect(move(new Resolution(false), { full: 500, reduced: 1 }, 30)).toBe("f".repeat(30));
  });

  it("keeps the smaller one where even that is too slow", () => {
    expect(move(new Resolution(true), { full: 900, reduced: 250 }, 30)).toMatch(/^f{6}r{24}$/);
  });

  it("gives the smaller one up where it is hardly faster, and stays so", () => {
    const resolution = new Resolution(true);
    const device = { full: 60, reduced: 50 };
    // two cold frames, three that count: 50 is not below 0.8 * 60 = 48
    expect(move(resolution, device, 60)).toBe(`${"f".repeat(6)}rrrrr${"f".repeat(49)}`);
    rest(resolution, device);
    expect(move(resolution, device, 60)).toBe("f".repeat(60));
  });

  it("tries the smaller one again when the full size has become half as slow again", () => {
    const resolution = new Resolution(true);
    move(resolution, { full: 60, reduced: 50 }, 20);
    expect(move(resolution, { full: 88, reduced: 30 }, 20)).toBe("f".repeat(20)); // 1.47 * 60
    expect(move(resolution, { full: 92, reduced: 30 }, 20)).toMatch(/^f{4}r{16}$/); // 4 of 7
  });

  it("judges the smaller one anew then", () => {
    const resolution = new Resolution(true);
    move(resolution, { full: 90, reduced: 130 }, 20);
    expect(move(resolution, { full: 140, reduced: 30 }, 20)).toMatch(/^f{4}r{16}$/);
  });

  it("forgets that it was not worth it once it was", () => {
    const resolution = new Resolution(true);
    move(resolution, { full: 60, reduced: 50 }, 20);
    move(resolution, { full: 92, reduced: 20 }, 20);
    expect(move(resolution, { full: 20, reduced: 7 }, 20)).toMatch(/^r+f+$/);
    expect(move(resolution, { full: 80, reduced: 20 }, 20)).toMatch(/^f{4}r{16}$/); // < 1.5 * 60
  });

  it("lets one slow frame in seven pass, and three of them", () => {
    const resolution = new Resolution(true);
    let drawn = "";
    for (let k = 0; k < 70; k++) {
      const chosen = resolution.choose(true);
      resolution.drawn(chosen, k % 7 < 3 && k > 6 ? 200 : 20);
      drawn += chosen[0];
    }
    expect(drawn).toBe("f".repeat(70));
  });

  it("does not count the first frame of a movement", () => {
    const resolution = new Resolution(true);
    for (let k = 0; k < 40; k++) {
      resolution.drawn(resolution.choose(true), 400);
      resolution.choose(false);
    }
    expect(resolution.choose(true)).toBe("full");
  });

  it("changes nothing between the two thresholds", () => {
    const resolution = new Resolution(true);
    expect(move(resolution, { full: 36, reduced: 10 }, 40)).toBe("f".repeat(40)); // < 36.7
    const slow = { full: 80, reduced: 8 };
    expect(move(resolution, slow, 12)).toMatch(/^f+r+$/);
    expect(move(resolution, slow, 40)).toBe("r".repeat(40)); // 4 * 8 > 28.3
    for (let k = 0; k < 7; k++) resolution.drawn("full", 30); // pictures at rest
    expect(move(resolution, { full: 30, reduced: 8 }, 20)).toBe("r".repeat(20)); // > 28.3
  });

  it("returns to full size when pictures at rest have become fast enough", () => {
    const resolution = new Resolution(true);
    move(resolution, { full: 80, reduced: 10 }, 12);
    for (let k = 0; k < 4; k++) resolution.drawn("full", 28); // 4 of 7: the median
    expect(move(resolution, { full: 28, reduced: 10 }, 30)).toBe("f".repeat(30));
  });

  it("returns to full size when four times the smaller one's time would do", () => {
    const resolution = new Resolution(true);
    move(resolution, { full: 80, reduced: 25 }, 12); // another program was busy
    expect(move(resolution, { full: 20, reduced: 7 }, 30)).toMatch(/^r{4}f{26}$/); // 4 * 7 < 28.3
  });
});
