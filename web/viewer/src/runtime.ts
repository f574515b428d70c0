/**
 * ONNX Runtime: the only file that knows it.
 *
 *     weights + WebAssembly binary -> Engine: one camera in, one premultiplied RGBA picture out
 *
 * On WebGPU the picture stays in a buffer on the graphics card; on WebAssembly it is an array.
 * `run` must never be called while another run is in flight (see frame_loop.ts). Graph capture is
 * left off: in 1.30 replayed frames show earlier cameras.
 */
import type { InferenceSession, Tensor, TypedTensor } from "onnxruntime-web";

import type { Backend } from "./device";
import type { CameraPose, ModelFile } from "./manifest";

type Ort = typeof import("onnxruntime-web");
type Feeds = Record<string, Tensor>;

/**
 * WebGPU: `run` resolves when the commands are submitted, `output` holds [4, height, width] floats.
 */
export interface GpuEngine {
  readonly kind: "webgpu";
  readonly device: GPUDevice;
  readonly output: GPUBuffer;
  run(pose: CameraPose): Promise<void>;
}

/** WebAssembly: the planes [4, height, width], valid until the next run. */
export interface CpuEngine {
  readonly kind: "wasm";
  run(pose: CameraPose): Promise<Float32Array>;
}

export type Engine = GpuEngine | CpuEngine;

/** The runtime of one backend: its WebAssembly file, and how many bytes that has. */
export interface RuntimeFiles {
  readonly load: () => Promise<Ort>;
  readonly wasm: string;
  readonly bytes: number;
  readonly loader: string;
}

/** The files for `backend`, as they lie beside the page. */
export async function runtimeFiles(backend: Backend): Promise<RuntimeFiles> {
  if (backend === "webgpu") {
    const [wasm, loader] = await Promise.all([
      import("onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url"),
      import("onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url"),
    ]);
    const load = (): Promise<Ort> => import("onnxruntime-web/webgpu");
    return { load, wasm: wasm.default, bytes: __WEBGPU_RUNTIME_BYTES__, loader: loader.default };
  }
  const [wasm, loader] = await Promise.all([
    import("onnxruntime-web/ort-wasm-simd-threaded.wasm?url"),
    import("onnxruntime-web/ort-wasm-simd-threaded.mjs?url"),
  ]);
  const load = (): Promise<Ort> => import("onnxruntime-web/wasm");
  return { load, wasm: wasm.default, bytes: __WASM_RUNTIME_BYTES__, loader: loader.default };
}

/** Everything an engine is started from; without a device it runs on WebAssembly. */
export interface Ingredients {
  readonly files: RuntimeFiles;
  readonly binary: ArrayBuffer;
  readonly model: ModelFile;
  readonly weights: Uint8Array;
  readonly device: GPUDevice | null;
  readonly verbose: boolean;
}

/** Start ONNX Runtime on `weights`. Once per worker: its module keeps the first device for good. */
export async function startEngine(ingredients: Ingredients): Promise<Engine> {
  const { files, binary, weights, device, verbose } = ingredients;
  const ort = await files.load();
  ort.env.wasm.wasmBinary = binary;
  ort.env.wasm.wasmPaths = { mjs: new URL(files.loader, import.meta.url) };
  ort.env.logLevel = verbose ? "verbose" : "error";
  const session = await ort.InferenceSession.create(weights, {
    executionProviders: [device === null ? "wasm" : { name: "webgpu", device }],
    graphOptimizationLevel: "all",
    ...(verbose ? { logSeverityLevel: 0, logVerbosityLevel: 1 } : { logSeverityLevel: 3 }),
  });
  delete (ort.env.wasm as { wasmBinary?: ArrayBufferLike }).wasmBinary; // tens of MB
  return device === null
    ? cpuEngine(ort, session)
    : gpuEngine(ort, session, device, ingredients.model);
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

function gpuEngine(
  ort: Ort,
  session: InferenceSession,
  device: GPUDevice,
  model: ModelFile,
): GpuEngine {
  const { width, height } = model;
  const output = device.createBuffer({
    label: "rgba",
    size: 4 * width * height * Float32Array.BYTES_PER_ELEMENT,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  const dims = [1, 4, height, width];
  const fetches = { rgba: ort.Tensor.fromGpuBuffer(output, { dataType: "float32", dims }) };
  return {
    kind: "webgpu",
    device,
    output,
    async run(pose) {
      await session.run(feedsOf(ort, pose), fetches);
    },
  };
}
