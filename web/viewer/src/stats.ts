/** What runs, and how fast. */
import type { Backend, Form, Precision } from "./device";
import type { FrameTimes, Running, StageTimes } from "./protocol";
import type { RenditionName } from "./resolution";

export interface StatsReport {
  /** Null until the model has started. */
  readonly backend: Backend | null;
  readonly precision: Precision | null;
  readonly form: Form | null;
  readonly adapter: string | null;
  /** Size of the model's picture, in pixels. */
  readonly width: number;
  readonly height: number;
  /**
   * PSNR of the first frame against the scene's poster, in dB: what was computed here against what
   * torch computed for the same camera. Null where they could not be compared.
   */
  readonly check: number | null;
  /** Of the newest frame: the full size, or half of its width and height. */
  readonly rendition: RenditionName;
  /** Frames drawn since the page was opened. */
  readonly frames: number;
  /** Of the newest frame, from the camera to the finished picture on the screen's canvas. */
  readonly milliseconds: number | null;
  /** Medians over the last frames of the parts of a frame; null before the first. */
  readonly parts: FrameTimes | null;
  /**
   * Median over the same frames of what the page adds to ONNX Runtime's run and the graphics card's
   * work: total - run - wait.
   */
  readonly overhead: number | null;
  /**
   * Of the newest frame, on the graphics card by its own clock; null without `?timings=on`, for
   * whole graphs, and where the card has no clock.
   */
  readonly stages: StageTimes | null;
  /**
   * Over the last second of drawing; null for single frames. Frames are only drawn while the camera
   * moves.
   */
  readonly fps: number | null;
}

const SECOND = 1000; // milliseconds
const LAST = 31; // frames: half a second at 60 a second, and odd, so the median is one of them

export class Stats {
  #running: Running | null = null;
  #rendition: RenditionName = "full";
  #frames = 0;
  #costs: readonly FrameTimes[] = [];
  #stages: StageTimes | null = null;
  #times: readonly number[] = [];

  /** What runs, or ran last; null until a model has started. */
  get running(): Running | null {
    return this.#running;
  }

  started(running: Running): void {
    this.#running = running;
    this.#stages = null;
    this.#costs = [];
    this.#times = [];
  }

  /** A frame that cost `times` is on the canvas at the time `now`, in milliseconds. */
  drawn(
    now: number,
    times: FrameTimes,
    stages: StageTimes | null = null,
    rendition: RenditionName = "full",
  ): void {
    this.#frames++;
    this.#rendition = rendition;
    this.#stages = stages;
    this.#costs = [...this.#costs.slice(1 - LAST), times];
    this.#times = [...this.#times.filter((time) => now - time < SECOND), now];
  }

  report(): StatsReport {
    const model = this.#running?.model;
    return {
      backend: this.#running?.backend ?? null,
      precision: model?.precision ?? null,
      form: this.#running?.form ?? null,
      adapter: this.#running?.adapter ?? null,
      width: model?.width ?? 0,
      height: model?.height ?? 0,
      check: this.#running?.check ?? null,
      rendition: this.#rendition,
      frames: this.#frames,
      milliseconds: this.#costs.at(-1)?.total ?? null,
      parts: medians(this.#costs),
      overhead: median(this.#costs.map(({ total, run, wait }) => total - run - wait)),
      stages: this.#stages,
      fps: this.#fps(),
    };
  }

  #fps(): number | null {
    const [first, last] = [this.#times[0], this.#times.at(-1)];
    if (first === undefined || last === undefined || first === last) return null;
    return ((this.#times.length - 1) * SECOND) / (last - first);
  }
}

/** The middle one, or the upper of two; null of none. */
const median = (values: readonly number[]): number | null =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;

/** The median of each part, on its own; null of nothing. */
function medians(costs: readonly FrameTimes[]): FrameTimes | null {
  if (costs.length === 0) return null;
  const of = (part: keyof FrameTimes): number => median(costs.map((cost) => cost[part]))!;
  return {
    run: of("run"),
    submit: of("submit"),
    present: of("present"),
    wait: of("wait"),
    total: of("total"),
  };
}
