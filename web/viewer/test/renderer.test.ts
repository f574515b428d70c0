import { describe, expect, it } from "vitest";

import { depthRange, type Range } from "../src/depth_view";
import type { CameraPose } from "../src/manifest";
import { type Backstage, rendererOf } from "../src/renderer";
import { RING, START } from "./envelope";

const SIZE = { width: 8, height: 4 };
const OTHER: CameraPose = { ...START, intrinsics: [1, 2, 0.5, 0.5] };

/** A backend that writes down what it is asked for. */
function backstage() {
  const log: string[] = [];
  const drawn: (Range | null)[] = [];
  const stage: Backstage = {
    async run(pose) {
      log.push(pose.intrinsics === OTHER.intrinsics ? "run other" : "run");
      return { run: 5, submit: 1 };
    },
    draw(_, depths) {
      log.push("draw");
      drawn.push(depths);
    },
    finish: async () => null,
    async read() {
      log.push("read");
      return { width: 8, height: 4, rgba: new Uint8Array(128) };
    },
    async depthAt(column, row) {
      return 100 * row + column;
    },
  };
  return { log, drawn, renderer: rendererOf(stage, SIZE, RING) };
}

describe("a renderer", () => {
  it("computes without showing, and shows the same camera without computing it again", async () => {
    const { log, renderer } = backstage();
    await renderer.compute(START);
    renderer.redraw(SIZE); // the window was resized meanwhile
    expect(log).toEqual(["run", "read"]);
    const nearly = { ...START, T_norm_camera: START.T_norm_camera.map((x) => x + 1e-7) };
    const { times } = await renderer.render(nearly, SIZE);
    expect(log).toEqual(["run", "read", "draw"]);
    expect(times).toMatchObject({ run: 5, submit: 1 });
    expect(times.total).toBeGreaterThanOrEqual(6);
    await renderer.render(nearly, SIZE); // only once: who measures frames wants frames
    expect(log).toEqual(["run", "read", "draw", "run", "draw"]);
  });

  it("computes another camera anew", async () => {
    const { log, renderer } = backstage();
    await renderer.compute(START);
    await renderer.render(OTHER, SIZE);
    expect(log).toEqual(["run", "read", "run other", "draw"]);
  });

  it("shows depth in the last camera's range, until colour is wanted again", async () => {
    const { drawn, renderer } = backstage();
    await renderer.render(START, SIZE);
    renderer.look("depth");
    renderer.redraw(SIZE);
    await renderer.render(OTHER, SIZE);
    renderer.look("colour");
    renderer.redraw(SIZE);
    expect(drawn).toEqual([null, depthRange(START, RING), depthRange(OTHER, RING), null]);
  });

  it("says how far away the pixel under a point is, once there is a picture", async () => {
    const { renderer } = backstage();
    expect(await renderer.depthAt(0.5, 0.5)).toBeNull();
    await renderer.compute(START);
    expect(await renderer.depthAt(0.5, 0.5)).toBeNull(); // nobody sees that one
    await renderer.render(START, SIZE);
    expect(await renderer.depthAt(0.5, 0.5)).toBe(204);
    expect(await renderer.depthAt(0, 0.99)).toBe(300);
    expect(await renderer.depthAt(1, -1)).toBe(7); // a pixel outside counts as the last inside
  });
});
