/** What the page and its worker say to each other. */
import type { Backend, Form, Request } from "./device";
import type { CameraPose, Envelope } from "./manifest";
import type { Model } from "./models";
import type { RenditionName } from "./resolution";
import type { Place } from "./scene";
import type { Cause, TroubleParts } from "./trouble";

/**
 * A picture as it was drawn: premultiplied RGBA bytes at the model's size, row by row from the top.
 */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8Array<ArrayBuffer>;
}

/** What runs. */
export interface Running {
  readonly backend: Backend;
  readonly model: Model;
  readonly form: Form;
  /** The graphics adapter's name; null where there is none. */
  readonly adapter: string | null;
  /**
   * PSNR of the first frame against the scene's poster, in dB; null where they could not be
   * compared.
   */
  readonly check: number | null;
}

/** What of a frame is on the canvas: the picture, or how far away things are. */
export type Look = "colour" | "depth";

/** Milliseconds that the stages of a frame took on the graphics card, by name. */
export type StageTimes = Readonly<Record<string, number>>;

/** Milliseconds of one frame by the worker's clock, in the order of its parts. */
export interface FrameTimes {
  /**
   * ONNX Runtime's own run. On WebAssembly that is the computation; on WebGPU it ends when the
   * commands are submitted.
   */
  readonly run: number;
  /** Encoding and submitting the own shaders' commands around it; 0 on WebAssembly. */
  readonly submit: number;
  /** Onto the canvas. On WebAssembly that includes turning floats into bytes. */
  readonly present: number;
  /** Waiting for the graphics card; 0 on WebAssembly. */
  readonly wait: number;
  /** From the camera to the finished picture: all of the above, and what lies between. */
  readonly total: number;
}

/** A picture that torch computed, for the self-check. */
export interface Truth {
  readonly camera: CameraPose;
  /** Address of a PNG with straight alpha. */
  readonly image: string;
  /** The same at half the width and height; null where there is none. */
  readonly reduced: string | null;
}

/** Size of the drawing surface, in device pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * `load`: the bundle is at fault; `start`: ONNX Runtime did not start; `run`: a frame failed or the
 * device was lost.
 */
export type Phase = "load" | "start" | "run";

export interface Start {
  readonly kind: "start";
  readonly canvas: OffscreenCanvas;
  readonly size: Size;
  readonly place: Place;
  readonly envelope: Envelope;
  readonly models: readonly Model[];
  readonly request: Request;
  readonly truth: Truth;
  /** For WebAssembly, where the page is cross-origin isolated; null: ONNX Runtime's own choice. */
  readonly threads: number | null;
  /** Fetch everything anew, and keep nothing. */
  readonly nocache: boolean;
  /** Frames a second to keep while the camera moves; null: the usual. */
  readonly fps: number | null;
  readonly verbose: boolean;
  readonly timings: boolean;
}

export type ToWorker =
  | Start
  | { readonly kind: "show"; readonly pose: CameraPose }
  /** No newer camera will come for a while: the last one may take its time. */
  | { readonly kind: "rest" }
  | { readonly kind: "look"; readonly look: Look }
  | { readonly kind: "capture"; readonly id: number; readonly pose: CameraPose }
  /** How far away is what the last frame shows at (x, y), as fractions of its width and height? */
  | { readonly kind: "probe"; readonly id: number; readonly x: number; readonly y: number }
  | { readonly kind: "resize"; readonly size: Size }
  | { readonly kind: "pause"; readonly paused: boolean };

export type FromWorker =
  | { readonly kind: "progress"; readonly received: number; readonly total: number }
  | { readonly kind: "running"; readonly running: Running }
  | {
      readonly kind: "drawn";
      readonly times: FrameTimes;
      readonly stages: StageTimes | null;
      readonly rendition: RenditionName;
    }
  | { readonly kind: "captured"; readonly id: number; readonly picture: Picture }
  /** Norm units along the unit ray; null where nothing is. */
  | { readonly kind: "probed"; readonly id: number; readonly depth: number | null }
  /** For the visitor, and no reason to stop. */
  | { readonly kind: "note"; readonly text: string }
  | {
      readonly kind: "failed";
      readonly phase: Phase;
      readonly cause: Cause;
      readonly backend: Backend | null;
      /** What ran, or was to run. */
      readonly model: Model | null;
      /** What that backend can run of the scene's models, best first. */
      readonly models: readonly Model[];
      readonly trouble: TroubleParts;
    };
