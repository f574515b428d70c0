/** What runs, and how fast. */
import type { Backend, Form, Precision } from "./device";
import type { Running, StageTimes } from "./protocol";

export interface StatsReport {
  /** Null until the model has started. */
  readonly backend: Backend | null;
  readonly precision: Precision | null;
  readonly form: Form | null;
  readonly adapter: string | null;
  /** Size of the model's picture, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Frames drawn since the page was opened. */
  readonly frames: number;
  /** Of the newest frame, from the camera to the finished picture on the screen's canvas. */
  readonly milliseconds: number | null;
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

export class Stats {
  #running: Running | null = null;
  #frames = 0;
  #milliseconds: number | null = null;
  #stages: StageTimes | null = null;
  #times: number[] = [];

  started(running: Running): void {
    this.#running = running;
    this.#stages = null;
    this.#times = [];
  }

  /** A frame that took `milliseconds` is on the canvas at the time `now`, also in milliseconds. */
  drawn(now: number, milliseconds: number, stages: StageTimes | null = null): void {
    this.#frames++;
    this.#stages = stages;
    this.#milliseconds = milliseconds;
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
      frames: this.#frames,
      milliseconds: this.#milliseconds,
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
