/**
 * ONNX Runtime: the only file that starts it.
 *
 *     model + WebAssembly binary -> Engine: one camera in; premultiplied RGBA and depth out
 *
 * On WebGPU both stay in textures on the graphics card, whether one graph draws them or the split
 * form (split.ts); on WebAssembly they are arrays.
 * `run` must never be called while another run is in flight (see frame_loop.ts). Graph capture is
 * left off: in 1.30 replayed frames show earlier cameras.
 */
import type { InferenceSession, Tensor, TypedTensor } from "onnxruntime-web";

import type { Backend, Form } from "./device";
import type { BundleFile, CameraPose } from "./manifest";
import { graphFiles, type Model } from "./models";
import { packer } from "./present";
import type { StageTimes } from "./protocol";
import type { RuntimeFiles } from "./runtime_files";
import { contentsOf, filesOf, type SplitContents, splitEngine } from "./split";
import { type Frame, frameTextures } from "./textures";

export type Ort = typeof import("onnxruntime-web");
type Feeds = Record<string, Tensor>;

/**
 * WebGPU: `run` resolves when the commands that write `frame` are submitted, to the milliseconds
 * that ONNX Runtime's own part of it took.
 */
export interface GpuEngine {
  readonly kind: "webgpu";
  readonly form: Form;
  readonly device: GPUDevice;
  readonly frame: Frame;
  run(pose: CameraPose): Promise<number>;
  /** Times of the last frame, once it is finished; null where they are not measured. */
  stages(): Promise<StageTimes | null>;
}

/** WebAssembly. */
export interface CpuEngine {
  readonly kind: "wasm";
  run(pose: CameraPose): Promise<Arrays>;
}

/** A frame in memory. */
export interface Arrays {
  /** [4, height, width]: premultiplied RGBA in [0, 1]. */
  readonly planes: Float32Array;
  /** [height, width]: distance along the unit ray in norm units; means nothing where alpha is 0. */
  readonly depth: Float32Array;
  /** How long ONNX Runtime's own run took. */
  readonly milliseconds: number;
}

export type Engine = GpuEngine | CpuEngine;

/** A model's files, downloaded. */
export type Contents =
  | {
      readonly form: "graph";
      readonly network: Uint8Array;
      /** The file in which the graph's large constants are, where that is another one. */
      readonly constants: { readonly path: string; readonly data: Uint8Array } | null;
    }
  | ({ readonly form: "split" } & SplitContents);

/** What to download for `form` of `model` on `backend`. */
export function filesToRun(model: Model, form: Form, backend: Backend): readonly BundleFile[] {
  if (form === "split" && model.split !== null) return filesOf(model.split);
  return graphFiles(model, backend === "wasm");
}

/** The contents of the files `named`, which are those that `filesToRun` names. */
export function contentsFrom(
  form: Form,
  named: readonly BundleFile[],
  files: readonly Uint8Array<ArrayBuffer>[],
): Contents {
  if (form === "split") return { form, ...contentsOf(files) };
  const [path, data] = [named[1]?.file, files[1]];
  const constants = path === undefined || data === undefined ? null : { path, data };
  return { form, network: files[0] as Uint8Array, constants };
}

/** ONNX Runtime, ready for models; without a device it runs on WebAssembly. */
export interface Host {
  readonly ort: Ort;
  readonly device: GPUDevice | null;
  readonly verbose: boolean;
}

/** Load ONNX Runtime. Once per worker: its module keeps the first device for good. */
export async function startRuntime(
  runtime: RuntimeFiles,
  binary: ArrayBuffer,
  device: GPUDevice | null,
  verbose: boolean,
): Promise<Host> {
  const ort = await runtime.load();
  ort.env.wasm.wasmBinary = binary;
  ort.env.wasm.wasmPaths = { mjs: new URL(runtime.loader, import.meta.url) };
  ort.env.logLevel = verbose ? "verbose" : "error";
  return { ort, device, verbose };
}

/** Start a model. */
export async function startEngine(host: Host, model: Model, contents: Contents): Promise<Engine> {
  const { ort, device, verbose } = host;
  const constants = contents.form === "graph" ? contents.constants : null;
  const session = await ort.InferenceSession.create(contents.network, {
    executionProviders: [device === null ? "wasm" : { name: "webgpu", device }],
    graphOptimizationLevel: "all",
    ...(constants === null ? {} : { externalData: [constants] }),
    ...(verbose ? { logSeverityLevel: 0, logVerbosityLevel: 1 } : { logSeverityLevel: 3 }),
  });
  delete (ort.env.wasm as { wasmBinary?: ArrayBufferLike }).wasmBinary; // tens of MB, now compiled
  if (device === null) return cpuEngine(ort, session);
  return contents.form === "split" && model.split !== null
    ? splitEngine(ort, session, device, model, model.split, contents)
    : graphEngine(ort, session, device, model);
}

/** The graph's inputs (docs: "Student graph" in the design). */
function feedsOf(ort: Ort, pose: CameraPose): Feeds {
  return {
    T_norm_camera: new ort.Tensor("float32", Float32Array.from(pose.T_norm_camera), [4, 4]),
    intrinsics: new ort.Tensor("float32", Float32Array.from(pose.intrinsics), [4]),
  };
}

function cpuEngine(ort: Ort, session: InferenceSession): CpuEngine {
  return {
    kind: "wasm",
    async run(pose) {
      const began = performance.now();
      const { rgba, depth } = await session.run(feedsOf(ort, pose), ["rgba", "depth"]);
      const milliseconds = performance.now() - began;
      const [planes, depths] = [rgba, depth] as TypedTensor<"float32">[];
      return { planes: planes!.data, depth: depths!.data, milliseconds };
    },
  };
}

function graphEngine(
  ort: Ort,
  session: InferenceSession,
  device: GPUDevice,
  model: Model,
): GpuEngine {
  const { width, height } = model;
  const planes = output(ort, device, "rgba", [1, 4, height, width]);
  const depths = output(ort, device, "depth", [1, 1, height, width]);
  const fetches = { rgba: planes.tensor, depth: depths.tensor };
  const frame = frameTextures(device, model);
  const pack = packer(device, planes.buffer, depths.buffer, frame);
  return {
    kind: "webgpu",
    form: "graph",
    device,
    frame,
    async run(pose) {
      const began = performance.now();
      await session.run(feedsOf(ort, pose), fetches);
      const milliseconds = performance.now() - began;
      pack();
      return milliseconds;
    },
    stages: async () => null,
  };
}

/** A buffer for an output of float32, and the same as ONNX Runtime sees it. */
function output(ort: Ort, device: GPUDevice, label: string, dims: readonly number[]) {
  const numbers = dims.reduce((a, b) => a * b, 1);
  const buffer = device.createBuffer({
    label,
    size: numbers * Float32Array.BYTES_PER_ELEMENT,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  const tensor = ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: [...dims] });
  return { buffer, tensor };
}
