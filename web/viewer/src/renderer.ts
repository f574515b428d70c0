/**
 * A runtime and a presenter together: cameras in, pictures on the canvas.
 *
 *     compute(pose): the engine alone -> read, depthAt
 *     render(pose): the same, then draw(): onto the canvas, in the look that is wanted
 */
import { depthRange, type Range, SOMETHING } from "./depth_view";
import type { CameraPose, Envelope, ModelFile } from "./manifest";
import { gpuPresenter } from "./present";
import { arrayPresenter } from "./present_2d";
import type { FrameTimes, Look, Picture, Size, StageTimes } from "./protocol";
import type { Arrays, CpuEngine, Engine, GpuEngine } from "./runtime";
import { readDepth, readPicture } from "./textures";

/** What a frame cost. */
export interface Cost {
  readonly times: FrameTimes;
  /** By the graphics card's own clock; null where that is not measured. */
  readonly stages: StageTimes | null;
}

/** Sizes are in device pixels, depths in norm units along the unit ray. */
export interface Renderer {
  /** Resolves when the picture is on the canvas and the graphics card has finished with it. */
  render(pose: CameraPose, size: Size): Promise<Cost>;
  /** The last picture again, on a canvas of another size. */
  redraw(size: Size): void;
  /** From now on the picture, or its depth; `redraw` shows the last one so. */
  look(look: Look): void;
  /**
   * The picture of this camera at the model's size, without showing it: premultiplied bytes, in
   * colour whatever is looked at. Showing the same camera next costs no second run.
   */
  compute(pose: CameraPose): Promise<Picture>;
  /** The picture of the last camera, likewise. */
  read(): Promise<Picture>;
  /** The last camera's depth at (x, y), fractions of width and height; null where nothing is. */
  depthAt(x: number, y: number): Promise<number | null>;
}

/** What the two backends do differently. */
export interface Backstage {
  /** Compute a frame and keep it. */
  run(pose: CameraPose): Promise<Pick<FrameTimes, "run" | "submit">>;
  /** The kept frame onto the canvas. */
  draw(size: Size, depths: Range | null): void;
  /** Until the graphics card has finished; then its own times. */
  finish(): Promise<StageTimes | null>;
  read(): Promise<Picture>;
  depthAt(column: number, row: number): Promise<number | null>;
}

/** A renderer of `engine`'s pictures on `canvas`. */
export function createRenderer(
  canvas: OffscreenCanvas,
  engine: Engine,
  model: ModelFile,
  envelope: Envelope,
): Renderer {
  const backstage = engine.kind === "webgpu" ? onGpu(canvas, engine) : onCpu(canvas, engine, model);
  return rendererOf(backstage, model, envelope);
}

/** The part that knows nothing of backends. */
export function rendererOf(
  stage: Backstage,
  { width, height }: Size,
  envelope: Envelope,
): Renderer {
  let wanted: Look = "colour";
  let last: CameraPose | null = null; // whose frame the stage keeps
  let shown = false; // is that frame meant for the canvas?
  let ahead: Pick<FrameTimes, "run" | "submit"> | null = null; // computed, and not shown yet

  const run = async (pose: CameraPose) => {
    [last, shown, ahead] = [null, false, null];
    const times = await stage.run(pose);
    last = pose;
    return times;
  };
  const draw = (size: Size): void => {
    if (last === null || !shown) return;
    stage.draw(size, wanted === "depth" ? depthRange(last, envelope) : null);
  };
  const texel = (fraction: number, count: number): number =>
    Math.min(Math.max(Math.floor(fraction * count), 0), count - 1);

  return {
    async render(pose, size) {
      const began = performance.now();
      const kept = ahead !== null && last !== null && samePose(last, pose) ? ahead : null;
      const computed = kept ?? (await run(pose));
      [shown, ahead] = [true, null];
      const ready = performance.now();
      draw(size);
      const drawn = performance.now();
      const stages = await stage.finish();
      const finished = performance.now();
      const total = finished - began + (kept === null ? 0 : kept.run + kept.submit);
      const times = { ...computed, present: drawn - ready, wait: finished - drawn, total };
      return { times, stages };
    },
    redraw: draw,
    look(look) {
      wanted = look;
    },
    async compute(pose) {
      const times = await run(pose);
      const picture = await stage.read();
      ahead = times;
      return picture;
    },
    read: () => stage.read(),
    depthAt: async (x, y) =>
      last === null || !shown ? null : stage.depthAt(texel(x, width), texel(y, height)),
  };
}

/** A camera that was taken apart into angles and put together again still counts as the same. */
function samePose(a: CameraPose, b: CameraPose): boolean {
  const close = (x: readonly number[], y: readonly number[]): boolean =>
    x.length === y.length && x.every((value, k) => Math.abs(value - y[k]!) < 1e-5);
  return close(a.T_norm_camera, b.T_norm_camera) && close(a.intrinsics, b.intrinsics);
}

function onGpu(canvas: OffscreenCanvas, { device, frame, run, stages }: GpuEngine): Backstage {
  const presenter = gpuPresenter(canvas, device, frame);
  return {
    async run(pose) {
      const began = performance.now();
      const own = await run(pose);
      return { run: own, submit: performance.now() - began - own };
    },
    draw: (size, depths) => presenter.draw(size, depths),
    async finish() {
      // `run` resolves before the card is done: without this, frames would pile up.
      await device.queue.onSubmittedWorkDone();
      return stages();
    },
    read: () => readPicture(device, frame.picture),
    depthAt: (column, row) => readDepth(device, frame, column, row),
  };
}

function onCpu(canvas: OffscreenCanvas, engine: CpuEngine, { width, height }: Size): Backstage {
  const presenter = arrayPresenter(canvas, { width, height });
  let arrays: Arrays | null = null;
  return {
    async run(pose) {
      arrays = await engine.run(pose);
      return { run: arrays.milliseconds, submit: 0 };
    },
    draw: (size, depths) => presenter.draw(arrays!, size, depths),
    finish: async () => null,
    read: async () => presenter.read(arrays!),
    async depthAt(column, row) {
      const { planes, depth } = arrays!;
      const at = row * width + column;
      return planes[at + 3 * width * height]! < SOMETHING ? null : depth[at]!;
    },
  };
}
