/**
 * What a second picture may show, and what stands beside each: pure.
 *
 *     ?compare=fp16|fp32|half|webgpu|wasm|path/ <-> Other; manifest + what runs -> the menu's choices
 */
import type { Backend, Precision } from "./device";
import { backendName } from "./hud";
import { decibelsText, megabytesText, modelBytes } from "./info";
import type { Manifest } from "./manifest";
import type { Options } from "./options";
import type { Running, Size } from "./protocol";

/** The same scene in another precision, at half its size or on another backend, or another scene. */
export type Other =
  | { readonly kind: "half" }
  | { readonly kind: "precision"; readonly precision: Precision }
  | { readonly kind: "backend"; readonly backend: Backend }
  | { readonly kind: "scene"; readonly path: string };

/** What `text` of the address names: anything that is no precision, size or backend is a path. */
export function parseOther(text: string): Other {
  if (text === "half") return { kind: "half" };
  if (text === "fp16" || text === "fp32") return { kind: "precision", precision: text };
  if (text === "webgpu" || text === "wasm") return { kind: "backend", backend: text };
  return { kind: "scene", path: text };
}

/** What the second viewer is asked for, the first one having been asked for `options`. */
export function optionsFor(other: Other, options: Options): Options {
  switch (other.kind) {
    case "half":
      return { ...options, half: true };
    case "precision":
      return { ...options, precision: other.precision };
    case "backend":
      return { ...options, backend: other.backend, form: null };
    case "scene":
      return { ...options, scene: other.path };
  }
}

/** A line of the menu. */
export interface Choice {
  /** As in `?compare=`. */
  readonly value: string;
  readonly title: string;
}

/** A scene beside this one. */
export interface Neighbour {
  readonly name: string;
  readonly path: string;
}

/** Everything that differs from what runs now. */
export function choices(
  manifest: Manifest,
  running: Running,
  neighbours: readonly Neighbour[],
): readonly Choice[] {
  const precisions = [...new Set(manifest.models.map(({ precision }) => precision))];
  const backend: Backend = running.backend === "webgpu" ? "wasm" : "webgpu";
  const possible = backend === "wasm" || running.adapter !== null;
  return [
    ...precisions
      .filter((precision) => precision !== running.model.precision)
      .map((precision) => ({ value: precision, title: `Precision ${precision}` })),
    ...(running.model.reduced === null ? [] : [{ value: "half", title: "Half the size" }]),
    ...(possible ? [{ value: backend, title: backendName(backend) }] : []),
    ...neighbours.map(({ name, path }) => ({ value: path, title: name })),
  ];
}

/** What stands beside a picture: what it is, and what it costs. */
export interface Label {
  readonly title: string;
  readonly detail: string;
}

/** `named`: also by the scene, where the other picture shows another one. */
export function labelOf({ name, quality }: Manifest, running: Running, named: boolean): Label {
  const { model, backend } = running;
  const psnr = quality.student_psnr_truth ?? quality.student_psnr_teacher;
  const detail = [megabytesText(modelBytes(running))];
  if (psnr !== null) detail.push(decibelsText(psnr));
  return {
    title: [...(named ? [name] : []), model.student, model.precision, backendName(backend)].join(
      " · ",
    ),
    detail: detail.join(" · "),
  };
}

/** Whether two pictures have the same proportions, to within a pixel in a hundred. */
export const sameProportions = (a: Size, b: Size): boolean =>
  Math.abs((a.width * b.height) / (a.height * b.width) - 1) < 0.01;

const STEPS: Record<string, number> = {
  ArrowLeft: -2,
  ArrowDown: -2,
  ArrowRight: 2,
  ArrowUp: 2,
  PageDown: -10,
  PageUp: 10,
  Home: -100,
  End: 100,
};

/** Where the divider goes from `percent` by this key; null for a key that is not its own. */
export function dividerAfter(key: string, percent: number): number | null {
  const step = STEPS[key];
  return step === undefined ? null : Math.min(Math.max(percent + step, 0), 100);
}
