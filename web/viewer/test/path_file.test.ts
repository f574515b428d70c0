import { afterEach, describe, expect, it, vi } from "vitest";

import { fitted, loadPath, parsePath, pathAmong } from "../src/path_file";
import { Trouble } from "../src/trouble";

const POSE = [1, 0, 0, 2, 0, 1, 0, 3, 0, 0, 1, 4, 0, 0, 0, 1];
const ROWS = [0, 4, 8, 12].map((k) => POSE.slice(k, k + 4));
const FRAME = { T_norm_camera: ROWS, intrinsics: [1, 2, 0.5, 0.25] };
const FILE = { fps: 10, width: 8, height: 4, frames: [FRAME, FRAME, FRAME] };

const parse = (file: unknown) => parsePath(JSON.stringify(file), "x.json");
const second = (change: object) => ({ ...FILE, frames: [FRAME, { ...FRAME, ...change }] });
const pose = (at: number, value: number) =>
  second({ T_norm_camera: POSE.map((x, i) => (i === at ? value : x)) });

function troubleOf(act: () => unknown): Trouble {
  try {
    act();
  } catch (error) {
    if (error instanceof Trouble) return error;
    throw error;
  }
  throw new Error("no trouble");
}

describe("parsePath", () => {
  it("reads the least that a file may have, as Python does", () => {
    const { fps: _, ...least } = FILE;
    const path = parse(least);
    expect(path).toMatchObject({
      name: "x.json",
      aspect: 2,
      closed: false,
      times: [0, 1 / 30, 2 / 30],
    });
    expect(path.poses[0]).toEqual({ T_norm_camera: POSE, intrinsics: [1, 2, 0.5, 0.25] });
    expect(path.duration).toBeCloseTo(2 / 30, 9);
  });

  it("reads poses of sixteen numbers in a row, and names", () => {
    const path = parse({ ...second({ T_norm_camera: POSE }), name: "round", schema: 1 });
    expect(path.poses[1]).toEqual(path.poses[0]);
    expect(path.name).toBe("round");
  });

  it("a closed path takes one step more, back to the first camera", () => {
    expect(parse({ ...FILE, closed: true }).duration).toBeCloseTo(0.3, 9);
    expect(parse({ ...FILE, closed: true, frames: [FRAME] }).duration).toBeCloseTo(0.1, 9);
  });

  it("counts given times from the first", () => {
    const frames = [5, 6, 9].map((time) => ({ ...FRAME, time }));
    expect(parse({ ...FILE, frames })).toMatchObject({ times: [0, 1, 4], duration: 4 });
    expect(parse({ ...FILE, frames, closed: true }).duration).toBe(6);
  });

  const times = (...values: unknown[]) => ({
    ...FILE,
    frames: values.map((time) => ({ ...FRAME, time })),
  });
  it.each<[string, unknown, RegExp]>([
    ["a list", [], /width undefined/],
    ["null", null, /no object/],
    ["no height", { ...FILE, height: undefined }, /height undefined/],
    ["a width of nothing", { ...FILE, width: 0 }, /width 0/],
    ["a speed in words", { ...FILE, fps: "fast" }, /fps "fast"/],
    ["no frames", { ...FILE, frames: [] }, /no frames/],
    ["frames that are none", { ...FILE, frames: 3 }, /no frames/],
    ["a frame that is null", { ...FILE, frames: [FRAME, null] }, /frame 1's T_norm_camera/],
    ["another schema", { ...FILE, schema: 2 }, /schema 2; this page reads 1/],
    ["three intrinsics", second({ intrinsics: [1, 1, 0.5] }), /frame 1's intrinsics/],
    ["no focal length", second({ intrinsics: [1, 0, 0.5, 0.5] }), /frame 1's intrinsics/],
    ["NaN, which JSON writes as null", pose(3, NaN), /frame 1's T_norm_camera.*finite/],
    ["nine numbers", second({ T_norm_camera: POSE.slice(0, 9) }), /16 finite numbers/],
    ["a scaled pose", pose(0, 1.5), /no rotation and position/],
    ["a mirrored pose", pose(10, -1), /no rotation and position/],
    ["a projective pose", pose(12, 1), /no rotation and position/],
    ["a time for one frame", second({ time: 1 }), /times of some frames only/],
    ["times that stand still", times(1, 1), /do not rise/],
    ["times in words", times("a", "b"), /not numbers/],
  ])("refuses %s, and says why", (_, file, given) => {
    const trouble = troubleOf(() => parse(file));
    expect(trouble.thing).toBe("the camera path x.json");
    expect(trouble.given).toMatch(given);
    expect(trouble.remedy).toMatch(/python -m teacher path/);
  });

  it("refuses what is no JSON", () => {
    expect(troubleOf(() => parsePath("<!doctype html>", "x.json")).given).toMatch(/not JSON/);
  });
});

describe("fitted", () => {
  it("keeps the height and stretches nothing", () => {
    const path = parse({ ...FILE, frames: [{ ...FRAME, intrinsics: [1, 2, 0.25, 0.5] }] });
    const [fx, fy, cx, cy] = fitted(path, 1).poses[0]!.intrinsics;
    // 8 x 4 pixels: focal lengths of 8 and 8, 2 pixels left of the middle; as 4 x 4 the same.
    expect([fx * 4, fy * 4, (cx - 0.5) * 4, cy]).toEqual([8, 8, -2, 0.5]);
    expect(fitted(path, 2)).toBe(path);
  });
});

describe("loadPath", () => {
  const PAGE = new URL("https://host/some/where/?path=x");
  afterEach(() => void vi.unstubAllGlobals());
  /** A host with these files. */
  function host(files: Record<string, string>): string[] {
    const asked: string[] = [];
    vi.stubGlobal("fetch", async (url: URL) => {
      asked.push(url.pathname);
      const text = files[url.pathname];
      return new Response(text ?? "", { status: text === undefined ? 404 : 200 });
    });
    return asked;
  }

  it("looks beside the page, then in the scene's folder", async () => {
    const asked = host({ "/some/where/scenes/a/p.json": JSON.stringify(FILE) });
    expect((await loadPath("p.json", PAGE, "scenes/a")).poses).toHaveLength(3);
    expect(asked).toEqual(["/some/where/p.json", "/some/where/scenes/a/p.json"]);
  });

  it("says what is wrong with the file that is there, wherever that is", async () => {
    host({ "/some/where/scene/p.json": "{}" });
    await expect(loadPath("p.json", PAGE, "scene/")).rejects.toThrow(/width undefined/);
    host({ "/some/where/p.json": "<html>" });
    await expect(loadPath("p.json", PAGE, "scene/")).rejects.toThrow(/not JSON/);
  });

  it("says that there is none", async () => {
    host({});
    await expect(loadPath("p.json", PAGE, "scene/")).rejects.toThrow(/camera path p\.json.*404/);
  });

  it.each(["https://elsewhere/p.json", "//elsewhere/p.json", "data:application/json,{}"])(
    "asks no other host: %s",
    async (asked) => {
      const requests = host({});
      await expect(loadPath(asked, PAGE, "scene/")).rejects.toThrow(/\?path=.*a path on/);
      expect(requests).toEqual([]);
    },
  );
});

describe("pathAmong", () => {
  const files = (...names: string[]) => new Map(names.map((name) => [name, new Blob()]));

  it("is a .json alone, which is no manifest", () => {
    expect(pathAmong(files("circle.json"))?.[0]).toBe("circle.json");
    for (const names of [
      ["manifest.json"],
      ["a/manifest.json"],
      ["a.json", "b.json"],
      ["a.zip"],
      [],
    ])
      expect(pathAmong(files(...names))).toBeNull();
  });
});
