/**
 * One model in two sizes on one canvas: which of them draws the next frame.
 *
 *     render(pose, resting) -> resolution.ts -> the full size's renderer, or the reduced one's
 *
 * The reduced size is started when it is first wanted, so that nobody waits for what a fast device
 * never uses. Where that fails the full size goes on alone. What is redrawn, asked for depth or read
 * is the frame that was rendered last.
 */
import type { CameraPose } from "./manifest";
import type { Look, Size } from "./protocol";
import type { Cost, Renderer } from "./renderer";
import { type RenditionName, Resolution } from "./resolution";

export interface Rendered extends Cost {
  readonly rendition: RenditionName;
  /** Whether the picture is as good as it gets. */
  readonly done: boolean;
}

export class Renditions {
  #reduced: Renderer | null = null;
  #current: Renderer;
  #look: Look = "colour";
  readonly #resolution: Resolution;

  /**
   * `start` starts the reduced size; null where there is none. `fps`: frames a second to keep while
   * the camera moves; null: the usual.
   */
  constructor(
    readonly full: Renderer,
    private start: (() => Promise<Renderer>) | null,
    fps: number | null,
  ) {
    this.#current = full;
    this.#resolution = new Resolution(start !== null, fps);
  }

  /** A frame on the canvas, in full size where the pose rests. */
  async render(pose: CameraPose, size: Size, resting: boolean): Promise<Rendered> {
    const wanted = this.#resolution.choose(!resting);
    const reduced = wanted === "reduced" ? await this.#started() : null;
    const rendition = reduced === null ? "full" : "reduced";
    this.#current = reduced ?? this.full;
    const cost = await this.#current.render(pose, size);
    this.#resolution.drawn(rendition, cost.times.total);
    return { ...cost, rendition, done: !this.#resolution.blurred };
  }

  redraw(size: Size): void {
    this.#current.redraw(size);
  }

  look(look: Look): void {
    this.#look = look;
    this.full.look(look);
    this.#reduced?.look(look);
  }

  /** How far away is what the last frame shows at (x, y)? See Renderer. */
  depthAt(x: number, y: number): Promise<number | null> {
    return this.#current.depthAt(x, y);
  }

  async #started(): Promise<Renderer | null> {
    if (this.#reduced !== null || this.start === null) return this.#reduced;
    const start = this.start;
    this.start = null; // once, whatever comes of it
    this.#reduced = await start().catch((error: unknown) => {
      console.warn(`the reduced size cannot be drawn: ${String(error)}`);
      return null;
    });
    this.#reduced?.look(this.#look);
    return this.#reduced;
  }
}
