import { afterEach, describe, expect, it, vi } from "vitest";

import { type Orbit, poseOf } from "../src/camera";
import {
  formatState,
  formatView,
  parseState,
  parseView,
  readState,
  writeState,
} from "../src/view_state";
import { add, type Vec3 } from "../src/vector";
import { HOME, IN_RING } from "./envelope";
import { project } from "./project";

/** The same numbers in every run, evenly in [0, 1). */
function* random(seed = 1): Generator<number, never> {
  for (let x = seed; ;) yield (x = (x * 16807) % 2147483647) / 2147483647;
}

function* views(count: number): Generator<Orbit> {
  const next = random();
  const between = (low: number, high: number): number => low + (high - low) * next.next().value;
  for (let k = 0; k < count; k++) {
    yield {
      azimuth: between(-20, 20),
      elevation: between(-1.5, 1.5),
      radius: Math.exp(between(-2, 3)),
      offset: [between(-1, 1), between(-1, 1), between(-1, 1)],
      focal: Math.exp(between(-1, 2)),
    };
  }
}

/** Points of a scene near the one looked at. */
function* around([x, y, z]: Vec3): Generator<Vec3> {
  for (const d of [-0.2, 0, 0.2]) yield [x + d, y - d / 2, z + d / 3];
}

/** Where `point` appears on a screen 4000 pixels high. */
const pixel = (orbit: Orbit, point: Vec3): [number, number] => {
  const [u, v] = project(poseOf(orbit, IN_RING), add(IN_RING.envelope.pivot, point));
  return [4000 * 2 * u, 4000 * v]; // it is twice as wide as high
};

describe("a hash", () => {
  it("is read as keys and values, in order", () => {
    expect([...parseState("#view=1,2&look=depth&bare&=none")]).toEqual([
      ["view", "1,2"],
      ["look", "depth"],
      ["bare", ""],
    ]);
    expect([...parseState("")]).toEqual([]);
    expect([...parseState("#")]).toEqual([]);
  });

  it("comes back from any keys and values", () => {
    const odd = new Map([
      ["view", "0.7,0.4,2.5,0,0,0,1.2"],
      ["a b", "c&d=e#f"],
      ["bg", "#ff8800"],
      ["100%", "50% + ü"],
      ["__proto__", "x"],
    ]);
    expect([...parseState(formatState(odd))]).toEqual([...odd]);
    expect(formatState(new Map([["view", "0.7,-0.4"]]))).toBe("#view=0.7,-0.4"); // still readable
    expect(formatState(new Map())).toBe("");
  });

  it("loses only what cannot be read", () => {
    expect([...parseState("#look=%E0%A4&view=1&view=2")]).toEqual([["view", "2"]]);
  });
});

describe("writeState", () => {
  const fake = (hash: string) => {
    const place = { hash, pathname: "/a/", search: "?scene=b" };
    const replaceState = vi.fn((_state: unknown, _title: string, url: string) => {
      place.hash = url.startsWith("#") ? url : "";
    });
    vi.stubGlobal("location", place);
    vi.stubGlobal("history", { state: { kept: 1 }, replaceState });
    return replaceState;
  };
  afterEach(() => vi.unstubAllGlobals());

  it("changes its key and leaves the others", () => {
    const replaced = fake("#look=depth");
    writeState("view", "1,2");
    expect(replaced).toHaveBeenCalledExactlyOnceWith({ kept: 1 }, "", "#look=depth&view=1,2");
    expect(readState().get("look")).toBe("depth");
    writeState("look", null);
    expect(location.hash).toBe("#view=1,2");
    writeState("view", null);
    expect(replaced).toHaveBeenLastCalledWith({ kept: 1 }, "", "/a/?scene=b");
  });

  it("does not touch the history where nothing changes", () => {
    const replaced = fake("#view=1,2");
    writeState("view", "1,2");
    writeState("look", null);
    expect(replaced).not.toHaveBeenCalled();
  });

  it("goes on where the browser forbids it", () => {
    fake("").mockImplementation(() => {
      throw new Error("SecurityError");
    });
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    expect(() => writeState("view", "1")).not.toThrow();
    expect(warned).toHaveBeenCalledOnce();
    warned.mockRestore();
  });
});

describe("a view", () => {
  it("is seven short numbers", () => {
    expect(formatView(HOME)).toBe("0.7,0.4,2.5,0,0,0,1.2");
    const odd: Orbit = { ...HOME, azimuth: 0.7 + 4 * Math.PI, offset: [-1e-9, 1 / 3, -2 / 3] };
    expect(formatView(odd)).toBe("0.7,0.4,2.5,0,0.333333,-0.666667,1.2");
  });

  it("says the same once more after it was read: a link does not creep", () => {
    for (const orbit of views(500)) {
      const text = formatView(orbit);
      expect(formatView(parseView(text)!)).toBe(text);
    }
  });

  it("reproduces the picture to a tenth of a pixel on a screen 4000 pixels high", () => {
    let worst = 0;
    for (const orbit of views(500)) {
      const asked = { ...orbit, radius: 1.5 + orbit.radius / 8, focal: Math.min(orbit.focal, 4) };
      const again = parseView(formatView(asked))!;
      for (const point of around(asked.offset)) {
        const [x, y] = pixel(asked, point);
        const [u, v] = pixel(again, point);
        worst = Math.max(worst, Math.hypot(x - u, y - v));
      }
    }
    expect(worst).toBeLessThan(0.1);
    expect(worst).toBeGreaterThan(0.001); // else this looks at nothing
  });

  it.each([
    "",
    "0.7,0.4,2.5,0,0,0",
    "0.7,0.4,2.5,0,0,0,1.2,9",
    "0.7,,2.5,0,0,0,1.2",
    "0.7,NaN,2.5,0,0,0,1.2",
    "0.7,Infinity,2.5,0,0,0,1.2",
    "0.7,0.4,0,0,0,0,1.2",
    "0.7,0.4,2.5,0,0,0,-1",
    "left,up,2.5,0,0,0,1.2",
  ])("is not made of %j", (text) => expect(parseView(text)).toBeNull());
});
