/**
 * What to do when the worker fails: pure choices.
 *
 * After a lost graphics device nothing in the same ONNX Runtime module works again, but a fresh
 * module in a fresh worker does. So: a new worker once, then WebAssembly, then the error. A runtime
 * that did not even start on WebGPU would not start there the second time either.
 */
import type { Backend } from "./device";
import type { Phase } from "./protocol";

export interface Failure {
  readonly phase: Phase;
  /** What ran, or was to run; null where it failed before that was decided. */
  readonly backend: Backend | null;
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
      readonly wasmOnly: boolean;
      readonly restarts: number;
      readonly note: string;
    };

const HEALTHY = 60; // seconds
const AGAIN = "Drawing was interrupted and has started again.";
const SLOWER = "WebGPU does not work here: the processor draws instead, more slowly.";

/** The next step after `failure`. */
export function recover({ phase, backend, restarts, healthySeconds }: Failure): Recovery {
  if (phase === "load" || backend === null) return { kind: "give up" };
  const recent = healthySeconds < HEALTHY ? restarts : 0;
  if (phase === "run" && recent === 0) {
    return { kind: "restart", wasmOnly: backend === "wasm", restarts: 1, note: AGAIN };
  }
  if (backend === "wasm") return { kind: "give up" };
  return { kind: "restart", wasmOnly: true, restarts: 0, note: SLOWER };
}
