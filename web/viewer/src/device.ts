/**
 * Which backend runs which model: pure choices, from facts to a plan.
 *
 *     what the visitor's device can do + what the address asks for + the manifest's models -> Plan
 */
import type { Model } from "./models";
import { Trouble } from "./trouble";

export type Backend = "webgpu" | "wasm";
export type Precision = Model["precision"];
/** One ONNX graph from camera to picture, or shaders around an ONNX network (split.ts). */
export type Form = "graph" | "split";

/** What the address may ask for; null leaves the choice to the page. */
export interface Preference {
  readonly backend: Backend | null;
  readonly precision: Precision | null;
  readonly form: Form | null;
}

/** What a start asks for: the address's wishes, and what earlier failures have led to. */
export interface Request extends Preference {
  /** This very file; null leaves the choice to the page. */
  readonly model: string | null;
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
  /** In bytes, of those that shaders read and write. */
  readonly largestBuffer: number;
  /** Of a texture, in pixels. */
  readonly largestSide: number;
}

export interface Plan {
  readonly backend: Backend;
  readonly model: Model;
  readonly form: Form;
}

/** The backend to use: WebGPU on a real adapter, or on any if asked for; else WebAssembly. */
export function chooseBackend(adapter: AdapterFacts | null, asked: Backend | null): Backend {
  if (adapter === null || asked === "wasm") return "wasm";
  return adapter.software && asked !== "webgpu" ? "wasm" : "webgpu";
}

/**
 * The largest buffer that drawing `model` is known to take, in bytes: its picture in floats and,
 * for a split form, what lies between the stages and their tables. What ONNX Runtime allocates
 * inside a network is not known beforehand.
 */
export function largestBuffer({ width, height, precision, split }: Model): number {
  const picture = 4 * width * height * Float32Array.BYTES_PER_ELEMENT;
  if (split === null) return picture;
  const number = precision === "fp16" ? 2 : 4;
  const between = [split.encoded, split.ends].map((dims) => dims.reduce((a, b) => a * b, number));
  const tables = [...split.encode.parts, ...split.shade.parts].map(({ bytes }) => bytes);
  return Math.max(picture, ...between, ...tables);
}

/** Is there room for `model` on this adapter? Phones often allow buffers of 128 MiB only. */
export function fits(model: Model, adapter: AdapterFacts): boolean {
  return (
    largestBuffer(model) <= adapter.largestBuffer &&
    Math.max(model.width, model.height) <= adapter.largestSide
  );
}

/** Does `other` take less memory on `backend` than `model`: fewer pixels, or smaller weights? */
export function smallerThan(model: Model, other: Model, backend: Backend): boolean {
  const pixels = (it: Model): number => it.width * it.height;
  // WebAssembly widens half precision, so there a file's bytes say nothing.
  const weights = (it: Model): number => (backend === "webgpu" ? it.bytes : it.parameters);
  if (pixels(other) !== pixels(model)) return pixels(other) < pixels(model);
  return weights(other) < weights(model);
}

/** The models that `backend` can run, best first. */
export function runnable(
  models: readonly Model[],
  backend: Backend,
  adapter: AdapterFacts | null,
): readonly Model[] {
  if (backend === "wasm") return models.filter(({ precision }) => precision === "fp32");
  return models.filter(
    (model) =>
      adapter !== null &&
      fits(model, adapter) &&
      (model.precision === "fp32" || adapter.halfPrecision),
  );
}

/**
 * The first model, best first, that `backend` can run.
 *
 * WebAssembly has no half precision: it would compute in single precision after converting every
 * weight, so the single-precision file is preferred there and the other one is taken only where it
 * is all there is, or is asked for.
 *
 * Throws Trouble where the bundle has nothing that fits.
 */
export function chooseModel(
  models: readonly Model[],
  backend: Backend,
  adapter: AdapterFacts | null,
  asked: Precision | null,
): Model {
  const wanted = models.filter((model) => asked === null || model.precision === asked);
  const lastResort = backend === "wasm" ? wanted[0] : undefined;
  const found = runnable(wanted, backend, adapter)[0] ?? lastResort;
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
export function chooseForm(model: Model, backend: Backend, asked: Form | null): Form {
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

/**
 * Backend, model and its form for this device. A graphics card that can run none of the models is
 * not used, unless the address insists.
 */
export function plan(models: readonly Model[], adapter: AdapterFacts | null, asked: Request): Plan {
  const wanted = models.filter(({ file }) => asked.model === null || file === asked.model);
  const usable = runnable(wanted, "webgpu", adapter).some(
    ({ precision }) => asked.precision === null || precision === asked.precision,
  );
  const preferred = usable ? asked.backend : (asked.backend ?? "wasm");
  const backend = chooseBackend(adapter, preferred);
  const model = chooseModel(wanted, backend, adapter, asked.precision);
  return { backend, model, form: chooseForm(model, backend, asked.form) };
}
