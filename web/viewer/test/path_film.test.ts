import { describe, expect, it } from "vitest";

import { poseOf } from "../src/camera";
import { clockText, Film, isOutside } from "../src/path_film";
import type { Timetable } from "../src/path_spline";
import { HOME, IN_ARC, IN_RING } from "./envelope";

const at = (azimuth: number) => poseOf({ ...HOME, azimuth }, IN_RING);
/** Three frames, a second apart. */
const table = (closed: boolean): Timetable => ({
  poses: [at(0), at(0.1), at(0.2)],
  times: [0, 1, 2],
  duration: closed ? 3 : 2,
  closed,
});

describe("Film", () => {
  it("stands until it is played", () => {
    const film = new Film(table(false));
    const { pose } = film;
    expect(film.advance(1)).toBe(false);
    expect([film.time, film.pose]).toEqual([0, pose]);
    film.play();
    expect(film.advance(0.5)).toBe(true);
    expect(film.time).toBe(0.5);
    film.pause();
    expect(film.advance(0.5)).toBe(false);
    expect(film.time).toBe(0.5);
  });

  it("has the same pose object for as long as nothing moves", () => {
    const film = new Film(table(false));
    film.seek(1.5);
    const { pose } = film;
    film.seek(1.5);
    film.advance(1);
    expect(film.pose).toBe(pose);
    film.seek(1.6);
    expect(film.pose).not.toBe(pose);
  });

  it("stops at the end, and begins again from there", () => {
    const film = new Film(table(false));
    film.play();
    expect(film.advance(5)).toBe(false);
    expect([film.time, film.playing]).toEqual([2, false]);
    film.play();
    expect([film.time, film.playing]).toEqual([0, true]);
  });

  it("loops where it is closed, or told to, at any speed", () => {
    for (const [closed, speed, time] of [[true, 1, 0.5], [true, 2, 1], [false, 1, 1.5]] as const) {
      const film = new Film(table(closed));
      expect(film.loop).toBe(closed);
      film.loop = true;
      film.speed = speed;
      film.play();
      expect(film.advance(3.5)).toBe(true);
      expect(film.time).toBeCloseTo(time, 9);
    } // prettier-ignore
  });

  it("comes to rest at the start of a closed way that does not loop", () => {
    const film = new Film(table(true));
    film.loop = false;
    film.play();
    film.advance(9);
    expect(film.time).toBe(3);
    expect(film.pose.T_norm_camera[3]).toBeCloseTo(at(0).T_norm_camera[3]!, 9);
  });

  it("is the same at any frame rate", () => {
    const ends = [10, 60].map((rate) => {
      const film = new Film(table(true));
      film.play();
      for (let k = 0; k < 4 * rate; k++) film.advance(1 / rate);
      return film.time;
    });
    expect(ends[0]).toBeCloseTo(ends[1]!, 6);
  });

  it("of one open frame cannot be played", () => {
    const film = new Film({ poses: [at(0)], times: [0], duration: 0, closed: false });
    film.play();
    expect([film.playing, film.advance(1), film.time]).toEqual([false, false, 0]);
  });

  it("does not leave its duration", () => {
    const film = new Film(table(false));
    film.seek(9);
    expect(film.time).toBe(2);
    film.seek(-9);
    expect(film.time).toBe(0);
  });
});

describe("isOutside", () => {
  const changed = (change: Partial<typeof HOME>) =>
    poseOf({ ...HOME, ...change } as typeof HOME, IN_RING);

  it("is what lies past the envelope by more than can be seen, and nothing else", () => {
    for (const change of [
      {},
      { radius: 4 },
      { radius: 4.05 },
      { elevation: 1.2 },
      { azimuth: 9 as 0.7 },
    ])
      expect(isOutside(changed(change as object), IN_RING)).toBe(false);
    for (const change of [
      { radius: 4.12 },
      { radius: 1.2 },
      { elevation: 1.4 },
      { elevation: -0.5 },
      { focal: 0.6 },
    ])
      expect(isOutside(changed(change as object), IN_RING)).toBe(true);
  });

  it("knows an arc's angles in every turn", () => {
    for (const [azimuth, outside] of [
      [3, false],
      [3.8, false],
      [0, true],
      [4.5, true],
    ] as const)
      expect(isOutside(at(azimuth), IN_ARC)).toBe(outside);
  });

  it("does not look at the roll", () => {
    const { T_norm_camera: T, intrinsics } = at(0.7);
    const rows = [0, 4, 8].flatMap((r) => [-T[r + 1]!, T[r]!, T[r + 2]!, T[r + 3]!]);
    expect(isOutside({ T_norm_camera: [...rows, 0, 0, 0, 1], intrinsics }, IN_RING)).toBe(false);
  });
});

it("clockText counts minutes and seconds", () => {
  expect([0, 7.9, 62, 600].map(clockText)).toEqual(["0:00", "0:07", "1:02", "10:00"]);
});
