/** A runtime and a presenter together: cameras in, pictures on the canvas. */
import type { CameraPose, ModelFile } from "./manifest";
import { gpuPresenter } from "./present";
import { arrayPresenter } from "./present_2d";
import type { Picture, Size, StageTimes } from "./protocol";
import type { CpuEngine, Engine, GpuEngine } from "./runtime";

export interface Renderer {
  /**
   * Resolves when the picture is on the canvas and the graphics card has finished with it, to
   * the times of its stages where they are measured.
   */
  render(pose: CameraPose, size: Size): Promise<StageTimes | null>;
  /** The same picture on a canvas of another size. */
  redraw(size: Size): void;
  /** The picture as it was drawn, at the model's size. */
  read(): Promise<Picture>;
}

/** A renderer of `engine`'s pictures on `canvas`; `size` arguments are in device pixels. */
export function createRenderer(
  canvas: OffscreenCanvas,
  engine: Engine,
  model: ModelFile,
): Renderer {
  return engine.kind === "webgpu"
    ? gpuRenderer(canvas, engine)
    : cpuRenderer(canvas, engine, model);
}

function gpuRenderer(canvas: OffscreenCanvas, engine: GpuEngine): Renderer {
  const presenter = gpuPresenter(canvas, engine.device, engine.picture);
  return {
    async render(pose, size) {
      await engine.run(pose);
      presenter.draw(size);
      // `run` resolves before the card is done: without this, frames would pile up.
      await engine.device.queue.onSubmittedWorkDone();
      return engine.stages();
    },
    redraw: (size) => presenter.draw(size),
    read: () => presenter.read(),
  };
}

function cpuRenderer(canvas: OffscreenCanvas, engine: CpuEngine, model: ModelFile): Renderer {
  const presenter = arrayPresenter(canvas, model);
  return {
    async render(pose, size) {
      presenter.show(await engine.run(pose));
      presenter.draw(size);
      return null;
    },
    redraw: (size) => presenter.draw(size),
    read: () => presenter.read(),
  };
}
