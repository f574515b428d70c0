/**
 * Which backend runs which model: pure choices, from facts to a plan.
 *
 *     what the visitor's device can do + what the address asks for + the manifest's models -> Plan
 */
import type { ModelFile } from "./manifest";
import { Trouble } from "./trouble";

export type Backend = "webgpu" | "wasm";
export type Precision = ModelFile["precision"];
/** One ONNX graph from camera to picture, or shaders around an ONNX network (split.ts). */
export type Form = "graph" | "split";

/** What the address may ask for; null leaves the choice to the page. */
export interface Preference {
  readonly backend: Backend | null;
  readonly precision: Precision | null;
  readonly form: Form | null;
}

/**
 * What is known of the graphics adapter; null where there is none (no WebGPU, or it is switched
 * off).
 */
export interface AdapterFacts {
  readonly name: string;
  /** A processor pretends to be a graphics card: right, but far slower than WebAssembly. */
  readonly software: boolean;
  /**
   * The optional feature `shader-f16`, without which ONNX Runtime refuses half-precision models.
   */
  readonly halfPrecision: boolean;
}

export interface Plan {
  readonly backend: Backend;
  readonly model: ModelFile;
  readonly form: Form;
}

/** The backend to use: WebGPU on a real adapter, or on any if asked for; else WebAssembly. */
export function chooseBackend(adapter: AdapterFacts | null, asked: Backend | null): Backend {
  if (adapter === null || asked === "wasm") return "wasm";
  return adapter.software && asked !== "webgpu" ? "wasm" : "webgpu";
}

/**
 * The first model, best first, that `backend` can run.
 *
 * WebAssembly has no half precision: it would compute in single precision after converting every
 * weight, so the single-precision file is preferred there and the other one is taken only where it
 * is all there is.
 *
 * Throws Trouble where the bundle has nothing that fits.
 */
export function chooseModel(
  models: readonly ModelFile[],
  backend: Backend,
  adapter: AdapterFacts | null,
  asked: Precision | null,
): ModelFile {
  const runs = (model: ModelFile): boolean =>
    model.precision === "fp32" ||
    (backend === "webgpu" ? (adapter?.halfPrecision ?? false) : asked === "fp16");
  const wanted = models.filter((model) => asked === null || model.precision === asked);
  const lastResort = backend === "wasm" ? wanted[0] : undefined;
  const found = wanted.find(runs) ?? lastResort;
  if (found !== undefined) return found;
  throw new Trouble(
    "the scene's models",
    models.map((model) => model.precision).join(", ") || "none",
    `one in ${asked ?? "fp32"} that this device can run`,
    "export the scene with an fp32 model, or open the page with ?backend=wasm",
  );
}

/**
 * The split form where WebGPU runs a model that has one, unless the whole graph is asked for.
 *
 * Throws Trouble where it is asked for and the model has none.
 */
export function chooseForm(model: ModelFile, backend: Backend, asked: Form | null): Form {
  if (backend === "wasm" || asked === "graph") return "graph";
  if (model.split !== null) return "split";
  if (asked === null) return "graph";
  throw new Trouble(
    "?form=",
    '"split"',
    `graph, since ${model.file} has no split form`,
    "correct the address, or leave it out",
  );
}

/** Backend, model and its form for this device. */
export function plan(
  models: readonly ModelFile[],
  adapter: AdapterFacts | null,
  asked: Preference,
): Plan {
  const backend = chooseBackend(adapter, asked.backend);
  const model = chooseModel(models, backend, adapter, asked.precision);
  return { backend, model, form: chooseForm(model, backend, asked.form) };
}
