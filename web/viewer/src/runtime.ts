/**
 * ONNX Runtime: the only file that starts it.
 *
 *     model + WebAssembly binary -> Engine: one camera in, one premultiplied RGBA picture out
 *
 * On WebGPU the picture stays in a texture on the graphics card, whether one graph draws it or the
 * split form (split.ts); on WebAssembly it is an array.
 * `run` must never be called while another run is in flight (see frame_loop.ts). Graph capture is
 * left off: in 1.30 replayed frames show earlier cameras.
 */
import type { InferenceSession, Tensor, TypedTensor } from "onnxruntime-web";

import type { Backend, Form } from "./device";
import type { BundleFile, CameraPose, ModelFile } from "./manifest";
import { packer, pictureTexture } from "./present";
import type { StageTimes } from "./protocol";
import type { RuntimeFiles } from "./runtime_files";
import { contentsOf, filesOf, type SplitContents, splitEngine } from "./split";

export type Ort = typeof import("onnxruntime-web");
type Feeds = Record<string, Tensor>;

/** WebGPU: `run` resolves when the commands that write `picture` are submitted. */
export interface GpuEngine {
  readonly kind: "webgpu";
  readonly form: Form;
  readonly device: GPUDevice;
  readonly picture: GPUTexture;
  /** Distance along the unit ray; null where the graph's own output is not kept. */
  readonly depth: GPUTexture | null;
  run(pose: CameraPose): Promise<void>;
  /** Times of the last frame, once it is finished; null where they are not measured. */
  stages(): Promise<StageTimes | null>;
}

/** WebAssembly: the planes [4, height, width], valid until the next run. */
export interface CpuEngine {
  readonly kind: "wasm";
  run(pose: CameraPose): Promise<Float32Array>;
}

export type Engine = GpuEngine | CpuEngine;

/** A model's files, downloaded. */
export type Contents =
  | { readonly form: "graph"; readonly network: Uint8Array }
  | ({ readonly form: "split" } & SplitContents);

/** What to download for `form` of `model` on `backend`. */
export function filesToRun(model: ModelFile, form: Form, backend: Backend): readonly BundleFile[] {
  if (form === "split" && model.split !== null) return filesOf(model.split);
  return [backend === "wasm" ? (model.sampled ?? model) : model];
}

/** The contents of the files that `filesToRun` names. */
export function contentsFrom(form: Form, files: readonly Uint8Array<ArrayBuffer>[]): Contents {
  return form === "split"
    ? { form, ...contentsOf(files) }
    : { form, network: files[0] as Uint8Array };
}

/** Everything an engine is started from; without a device it runs on WebAssembly. */
export interface Ingredients {
  readonly runtime: RuntimeFiles;
  readonly binary: ArrayBuffer;
  readonly model: ModelFile;
  readonly contents: Contents;
  readonly device: GPUDevice | null;
  readonly verbose: boolean;
}

/** Start ONNX Runtime on a model. Once per worker: its module keeps the first device for good. */
export async function startEngine(ingredients: Ingredients): Promise<Engine> {
  const { runtime, binary, model, contents, device, verbose } = ingredients;
  const ort = await runtime.load();
  ort.env.wasm.wasmBinary = binary;
  ort.env.wasm.wasmPaths = { mjs: new URL(runtime.loader, import.meta.url) };
  ort.env.logLevel = verbose ? "verbose" : "error";
  const session = await ort.InferenceSession.create(contents.network, {
    executionProviders: [device === null ? "wasm" : { name: "webgpu", device }],
    graphOptimizationLevel: "all",
    ...(verbose ? { logSeverityLevel: 0, logVerbosityLevel: 1 } : { logSeverityLevel: 3 }),
  });
  delete (ort.env.wasm as { wasmBinary?: ArrayBufferLike }).wasmBinary; // tens of MB
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
      const { rgba } = await session.run(feedsOf(ort, pose), ["rgba"]);
      return (rgba as TypedTensor<"float32">).data;
    },
  };
}

function graphEngine(
  ort: Ort,
  session: InferenceSession,
  device: GPUDevice,
  model: ModelFile,
): GpuEngine {
  const { width, height } = model;
  const planes = device.createBuffer({
    label: "rgba",
    size: 4 * width * height * Float32Array.BYTES_PER_ELEMENT,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  const dims = [1, 4, height, width];
  const fetches = { rgba: ort.Tensor.fromGpuBuffer(planes, { dataType: "float32", dims }) };
  const picture = pictureTexture(device, model);
  const pack = packer(device, planes, picture);
  return {
    kind: "webgpu",
    form: "graph",
    device,
    picture,
    depth: null,
    async run(pose) {
      await session.run(feedsOf(ort, pose), fetches);
      pack();
    },
    stages: async () => null,
  };
}
