import { describe, expect, it, vi } from "vitest";

import { FrameLoop } from "../src/frame_loop";

/** A renderer whose frames end when the test says so, and that notices overlapping runs. */
function slowRenderer() {
  const started: number[] = [];
  let finish: (() => void) | null = null;
  let most = 0;
  let running = 0;
  const render = async (pose: number): Promise<boolean> => {
    started.push(pose);
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => (finish = resolve));
    running--;
    return true;
  };
  const end = async (): Promise<void> => {
    finish?.();
    await settle();
  };
  return { render, started, end, most: () => most };
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
const never = (error: unknown): void => {
  throw error;
};

describe("FrameLoop", () => {
  it("renders the newest pose and skips those that were overtaken", async () => {
    const { render, started, end } = slowRenderer();
    const loop = new FrameLoop(render, never);
    for (const pose of [1, 2, 3, 4]) loop.show(pose);
    await end();
    expect(started).toEqual([1, 4]);
    await end();
    expect(started).toEqual([1, 4]);
  });

  it("never has two frames in flight, whatever comes when", async () => {
    const { render, end, most, started } = slowRenderer();
    const loop = new FrameLoop(render, never);
    for (let k = 0; k < 200; k++) {
      loop.show(k);
      if (k % 3 === 0) void loop.enqueue(() => render(1000 + k));
      if (k % 7 === 0) await end();
    }
    for (let k = 0; k < 200; k++) await end();
    expect(most()).toBe(1);
    expect(started.at(-1)).toBe(199);
    expect(started.filter((pose) => pose >= 1000)).toHaveLength(67); // no job was dropped
  });

  it("runs jobs in order, before the newest pose, and hands back what they return", async () => {
    const { render, started, end } = slowRenderer();
    const loop = new FrameLoop(render, never);
    loop.show(1);
    const jobs = [10, 11].map((pose) => loop.enqueue(() => render(pose).then(() => 2 * pose)));
    loop.show(2);
    for (let k = 0; k < 4; k++) await end();
    expect(started).toEqual([1, 10, 11, 2]);
    expect(await Promise.all(jobs)).toEqual([20, 22]);
  });

  it("overtakes a waiting pose with a job that draws a newer one, not a later pose", async () => {
    const { render, started, end } = slowRenderer();
    const loop = new FrameLoop(render, never);
    loop.show(1);
    loop.show(2);
    void loop.insist(() => render(10));
    void loop.insist(() => render(11));
    loop.show(3);
    for (let k = 0; k < 5; k++) await end();
    expect(started).toEqual([1, 10, 11, 3]);
  });

  it("renders no pose while paused, and the newest one after it", async () => {
    const { render, started, end } = slowRenderer();
    const loop = new FrameLoop(render, never);
    loop.pause(true);
    loop.show(1);
    loop.show(2);
    await end();
    expect(started).toEqual([]);
    loop.pause(false);
    await end();
    expect(started).toEqual([2]);
  });

  it("hears all calls that wait before it takes the newest, and after every frame", async () => {
    const seen: number[] = [];
    let waiting: (() => void)[] = [];
    const breathe = async (): Promise<void> => {
      for (const call of waiting.splice(0)) call();
    };
    const render = async (pose: number): Promise<boolean> => seen.push(pose) > 0;
    const loop = new FrameLoop(render, never, breathe);
    waiting = [2, 3, 4].map((pose) => () => loop.show(pose));
    waiting.push(() => void loop.enqueue(async () => void seen.push(100)));
    loop.show(1); // a message of its own, as the others are
    await settle();
    expect(seen).toEqual([100, 4]);
  });

  it("reports the first failure and renders nothing after it", async () => {
    const failed = vi.fn();
    const render = vi.fn().mockRejectedValue(new Error("device lost"));
    const loop = new FrameLoop(render, failed);
    loop.show(1);
    await settle();
    loop.show(2);
    await settle();
    expect(failed).toHaveBeenCalledOnce();
    expect(render).toHaveBeenCalledOnce();
  });

  it("says nothing of a frame that fails after it was stopped", async () => {
    const failed = vi.fn();
    const loop = new FrameLoop(
      () => settle().then(() => Promise.reject(new Error("lost"))),
      failed,
    );
    loop.show(1);
    loop.stop();
    await settle();
    await settle();
    expect(failed).not.toHaveBeenCalled();
  });

  it("treats a failing job like a failing frame", async () => {
    const failed = vi.fn();
    const loop = new FrameLoop(async () => true, failed);
    const job = loop.enqueue(() => Promise.reject(new Error("device lost")));
    await expect(job).rejects.toThrow("device lost");
    expect(failed).toHaveBeenCalledOnce();
  });

  describe("at rest", () => {
    /** Rendered poses; a resting one is marked, and only that is as good as it gets. */
    function roughRenderer() {
      const seen: string[] = [];
      const render = async (pose: string, resting: boolean): Promise<boolean> => {
        seen.push(resting ? `${pose} resting` : pose);
        await settle();
        return resting;
      };
      return { seen, loop: new FrameLoop(render, never) };
    }
    const settled = async (): Promise<void> => {
      for (let k = 0; k < 6; k++) await settle();
    };

    it("renders the last pose once more where that helps, and only once", async () => {
      const { seen, loop } = roughRenderer();
      loop.show("a");
      await settled();
      loop.rest();
      loop.rest();
      await settled();
      expect(seen).toEqual(["a", "a resting"]);
    });

    it("waits for a frame in flight, and forgets it for a newer one", async () => {
      const { seen, loop } = roughRenderer();
      loop.show("a");
      loop.rest();
      await settled();
      loop.show("b");
      loop.show("c");
      await settled();
      expect(seen).toEqual(["a", "a resting", "b", "c"]);
    });

    it("never covers a job's picture with an older one", async () => {
      const { seen, loop } = roughRenderer();
      loop.show("a");
      void loop.insist(async () => void seen.push("job"));
      loop.rest();
      await settled();
      expect(seen).toEqual(["a", "job"]);
    });

    it("renders nothing again that was as good as it gets", async () => {
      const { render, started, end } = slowRenderer();
      const loop = new FrameLoop(render, never);
      loop.show(1);
      await end();
      loop.rest();
      await end();
      expect(started).toEqual([1]);
    });
  });
});
