/**
 * `window.pocketfield`: the same page, for tests, benchmarks and the console.
 *
 *     await pocketfield.ready                                   // the first frame is on the canvas
 *     const pose = pocketfield.manifest.references[0].camera
 *     const { width, height, rgba } = await pocketfield.frame(pose)
 *     pocketfield.stats().milliseconds
 */
import type { BenchReport } from "./bench_report";
import type { CameraPose, Manifest } from "./manifest";
import type { Look, Picture } from "./protocol";
import type { StatsReport } from "./stats";

export interface Pocketfield {
  /** Resolves when the first frame is on the canvas; rejects where the page gives up. */
  readonly ready: Promise<void>;
  readonly manifest: Manifest;
  /**
   * Draws the camera on the canvas, and resolves to the very pixels that were drawn: premultiplied
   * RGBA bytes at the model's size, row by row from the top; in colour, whatever is looked at. Calls
   * run one after another; none is dropped.
   */
  frame(pose: CameraPose): Promise<Picture>;
  /** The camera that the visitor has moved to. */
  camera(): CameraPose;
  /** Shows the picture, or how far away things are. */
  look(look: Look): void;
  /**
   * How far away is what the last frame shows at (x, y), fractions of its width and height? In norm
   * units along the ray; null where nothing is.
   */
  depthAt(x: number, y: number): Promise<number | null>;
  stats(): StatsReport;
  /** What `?bench` shows: measured once, as soon as somebody asks. */
  bench(): Promise<BenchReport>;
}

declare global {
  interface Window {
    pocketfield?: Pocketfield;
  }
}
