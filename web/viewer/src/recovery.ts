/**
 * What to do when the worker fails: pure choices.
 *
 *     wrong picture: WebGPU fp16 -> WebGPU fp32 -> WebAssembly (which is never called wrong)
 *     out of memory: a smaller model of the scene -> WebAssembly -> the error
 *     anything else: once more the same -> WebAssembly -> the error
 *
 * After a lost graphics device nothing in the same ONNX Runtime module works again, but a fresh
 * module in a fresh worker does. So every next step is a new worker. A runtime that did not even
 * start on WebGPU would not start there the second time either.
 */
import { type Backend, smallerThan } from "./device";
import type { Model } from "./models";
import type { Phase } from "./protocol";
import type { Cause } from "./trouble";

/** What failures so far have led to. */
export interface Ruling {
  readonly wasmOnly: boolean;
  /** The file of the one model to try; null: whichever is best. */
  readonly model: string | null;
}

/** Nothing has failed. */
export const ANYTHING: Ruling = { wasmOnly: false, model: null };

export interface Failure {
  readonly phase: Phase;
  readonly cause: Cause;
  /** What happened, in a sentence; where a picture is wrong the visitor is told so. */
  readonly text: string;
  /** What ran, or was to run; null where it failed before that was decided. */
  readonly backend: Backend | null;
  readonly model: Model | null;
  /** All models that this backend can run here, best first. */
  readonly models: readonly Model[];
  /** What applied when this worker started. */
  readonly ruled: Ruling;
  /** How many restarts on this backend there were already. */
  readonly restarts: number;
  /**
   * How long frames were drawn before. A device that is lost once a day, as laptops wake up, is no
   * pattern.
   */
  readonly healthySeconds: number;
}

export type Recovery =
  | { readonly kind: "give up" }
  | {
      readonly kind: "restart";
      readonly ruled: Ruling;
      readonly restarts: number;
      readonly note: string;
    };

const PROCESSOR: Ruling = { wasmOnly: true, model: null };
const HEALTHY = 60; // seconds
const AGAIN = "Drawing was interrupted and has started again.";
const SLOWER = "WebGPU does not work here: the processor draws instead, more slowly.";
const SINGLE = "Single precision is tried instead.";
const SMALLER = "There is too little memory for this picture: a smaller one is drawn.";
const OTHER_MEMORY = "The graphics card has too little memory: the processor draws instead.";

/** The next step after `failure`. */
export function recover(failure: Failure): Recovery {
  const { phase, cause, backend, model, ruled } = failure;
  if (backend === null || model === null) return { kind: "give up" };
  if (cause === "memory") return afterMemory(failure, model, backend);
  if (cause === "wrong") return afterWrong(failure, model, backend);
  if (phase === "load") return { kind: "give up" };
  const recent = failure.healthySeconds < HEALTHY ? failure.restarts : 0;
  if (phase === "run" && recent === 0) return restart(ruled, AGAIN, 1);
  return backend === "wasm" ? { kind: "give up" } : restart(PROCESSOR, SLOWER);
}

function afterWrong({ text, models }: Failure, model: Model, backend: Backend): Recovery {
  if (backend === "wasm") return { kind: "give up" }; // the worker does not call that a failure
  const single = models.find(({ precision }) => precision === "fp32");
  return model.precision === "fp16" && single !== undefined
    ? restart({ wasmOnly: false, model: single.file }, `${text} ${SINGLE}`)
    : restart(PROCESSOR, `${text} The processor draws instead, more slowly.`);
}

function afterMemory({ models, ruled }: Failure, model: Model, backend: Backend): Recovery {
  const smaller = models.find((other) => smallerThan(model, other, backend));
  if (smaller !== undefined) return restart({ ...ruled, model: smaller.file }, SMALLER);
  return backend === "wasm" ? { kind: "give up" } : restart(PROCESSOR, OTHER_MEMORY);
}

const restart = (ruled: Ruling, note: string, restarts = 0): Recovery => ({
  kind: "restart",
  ruled,
  restarts,
  note,
});
