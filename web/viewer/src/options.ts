/**
 * What the page's address may ask for.
 *
 *     ?scene=path/            folder of another bundle on the same host (else scene/, or the gallery)
 *     ?backend=webgpu|wasm    WebGPU even on a software adapter | never WebGPU
 *     ?precision=fp32|fp16    only models of this precision
 *     ?size=half              the model at half its width and height, also at rest
 *     ?form=graph|split       on WebGPU the whole ONNX graph | shaders around a network
 *     ?pose=20 numbers        start exactly here: T_norm_camera row by row, then fx, fy, cx, cy
 *     ?reference=k            start exactly at the manifest's k-th reference camera, counted from 0
 *     ?path=name.json         play this camera path, beside the page or in the scene's folder
 *     ?rotate=on|off          the camera goes round until somebody touches it | never by itself
 *     ?compare=fp16|half|wasm|path/ a second picture behind a slider: other precision, size, backend, scene
 *     ?fps=30                 frames a second to keep while the camera moves, by drawing less sharply
 *     ?threads=4              threads for WebAssembly, where the page is cross-origin isolated
 *     ?nocache                fetch everything anew, and keep nothing for the next visit
 *     ?embed                  a page inside another page: the picture and the fewest buttons
 *     ?bench                  draw the reference cameras, measure, and print a report
 *     ?ui=off                 the picture alone
 *     ?timings=on             measure the stages on the graphics card, see pocketfield.stats()
 *     ?log=verbose            ONNX Runtime's own log on the console, with every node's placement
 */
import type { Backend, Form, Precision, Preference } from "./device";
import type { CameraPose, Manifest } from "./manifest";
import { Trouble } from "./trouble";

export interface Options extends Preference {
  /** Null: scene/, or a gallery. */
  readonly scene: string | null;
  readonly pose: CameraPose | null;
  readonly reference: number | null;
  /** A camera-path file. */
  readonly path: string | null;
  /** Null: the page's own choice. */
  readonly rotate: boolean | null;
  readonly compare: string | null;
  /** Half the width and height, also at rest. */
  readonly half: boolean;
  /** Null: the page's own choice. */
  readonly fps: number | null;
  readonly threads: number | null;
  readonly nocache: boolean;
  readonly embed: boolean;
  readonly bench: boolean;
  readonly ui: boolean;
  readonly verbose: boolean;
  readonly timings: boolean;
}

/**
 * The options in a URL's query; throws Trouble for a value that cannot be used. Unknown names are
 * left alone.
 */
export function parseOptions(query: URLSearchParams): Options {
  const pose = query.get("pose");
  return {
    scene: query.get("scene"),
    backend: oneOf<Backend>(query, "backend", ["webgpu", "wasm"]),
    precision: oneOf<Precision>(query, "precision", ["fp32", "fp16"]),
    form: oneOf<Form>(query, "form", ["graph", "split"]),
    pose: pose === null ? null : parsePose(pose),
    reference: wholeNumber(query, "reference", 0),
    path: query.get("path"),
    rotate: onOrOff(query, "rotate"),
    compare: query.get("compare"),
    half: oneOf(query, "size", ["half"]) !== null,
    fps: wholeNumber(query, "fps", 1),
    threads: wholeNumber(query, "threads", 1),
    nocache: query.has("nocache"),
    embed: query.has("embed"),
    bench: query.has("bench"),
    ui: oneOf(query, "ui", ["on", "off"]) !== "off",
    verbose: oneOf(query, "log", ["verbose"]) !== null,
    timings: oneOf(query, "timings", ["on", "off"]) === "on",
  };
}

function onOrOff(query: URLSearchParams, name: string): boolean | null {
  const asked = oneOf(query, name, ["on", "off"]);
  return asked === null ? null : asked === "on";
}

function oneOf<Value extends string>(
  query: URLSearchParams,
  name: string,
  values: readonly Value[],
): Value | null {
  const given = query.get(name);
  const found = values.find((value) => value === given) ?? null;
  if (given === null || found !== null) return found;
  throw new Trouble(
    `?${name}=`,
    `"${given}"`,
    values.join(" or "),
    "correct the address, or leave it out",
  );
}

function parsePose(text: string): CameraPose {
  const numbers = text.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  if (numbers.length !== 20 || !numbers.every(Number.isFinite)) {
    throw new Trouble(
      "?pose=",
      `${numbers.length} values: ${text.slice(0, 60)}`,
      "20 finite numbers: 16 of T_norm_camera, row by row, then fx, fy, cx, cy as fractions",
      "correct the address, or leave it out",
    );
  }
  return {
    T_norm_camera: numbers.slice(0, 16),
    intrinsics: numbers.slice(16) as unknown as CameraPose["intrinsics"],
  };
}

function wholeNumber(query: URLSearchParams, name: string, least: number): number | null {
  const text = query.get(name);
  if (text === null || (/^\d{1,6}$/.test(text) && Number(text) >= least)) {
    return text === null ? null : Number(text);
  }
  throw new Trouble(
    `?${name}=`,
    `"${text}"`,
    `a whole number from ${least}`,
    "correct the address, or leave it out",
  );
}

/** The exact camera that the address asks for, or null: the scene's start. */
export function askedPose(options: Options, manifest: Manifest): CameraPose | null {
  if (options.pose !== null) return options.pose;
  if (options.reference === null) return null;
  const view = manifest.references[options.reference];
  if (view !== undefined) return view.camera;
  throw new Trouble(
    "?reference=",
    String(options.reference),
    `a number below ${manifest.references.length}, the number of this scene's reference cameras`,
    "correct the address, or leave it out",
  );
}
