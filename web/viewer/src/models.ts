/**
 * The models that a page can choose from: each of the manifest's, and each at half its size.
 *
 *     manifest.models -> all of them, best first -> their reduced renditions, likewise
 *
 * A reduced rendition is a model like any other, with one difference: its large constants lie in the
 * file of the whole one (ONNX external data), which has to be there too.
 */
import type { BundleFile, ModelFile } from "./manifest";
import { Trouble } from "./trouble";

export interface Model extends ModelFile {
  /** Of a reduced rendition: the model in whose file its large constants lie. */
  readonly whole?: ModelFile;
}

/** `model` at half its width and height; null where that was not exported. */
export function reducedOf(model: Model): Model | null {
  const { reduced } = model;
  if (reduced === null) return null;
  const { width, height, gflop, file, split, psnr } = reduced;
  const smaller = { width, height, gflop, sampled: null, split, psnr, reduced: null };
  return { ...model, ...file, ...smaller, whole: model };
}

/** All models in all sizes: what is tried first comes first. */
export function allSizes(models: readonly ModelFile[]): readonly Model[] {
  return [...models, ...models.flatMap((model) => reducedOf(model) ?? [])];
}

/** Those at half their size alone; throws Trouble where there are none. */
export function halfSizes(models: readonly ModelFile[]): readonly Model[] {
  const found = models.flatMap((model) => reducedOf(model) ?? []);
  if (found.length > 0) return found;
  throw new Trouble(
    "?size=",
    '"half"',
    "a scene that was exported at half its size too",
    "leave it out: students that work ray by ray have one size",
  );
}

/** The graph of `model` for WebAssembly or not, and the file with its constants, if another. */
export function graphFiles(model: Model, wasm: boolean): readonly BundleFile[] {
  const graph = wasm ? (model.sampled ?? model) : model;
  return model.whole === undefined ? [graph] : [graph, model.whole];
}
