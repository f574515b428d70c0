/**
 * Where the files of ONNX Runtime lie beside the page, for each backend.
 *
 *     WebGPU, in browsers that suspend WebAssembly by themselves (JSPI)   the jspi build
 *     WebGPU elsewhere                                                   asyncify: 60 % larger
 *     WebAssembly                                                        no WebGPU in it: half the size
 */
import asyncifyLoader from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import asyncifyBinary from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?packed";
import jspiLoader from "onnxruntime-web/ort-wasm-simd-threaded.jspi.mjs?url";
import jspiBinary from "onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm?packed";
import wasmLoader from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasmBinary from "onnxruntime-web/ort-wasm-simd-threaded.wasm?packed";

import type { Backend } from "./device";
import type { Ort } from "./runtime";

/** The runtime of one backend. */
export interface RuntimeFiles {
  /** ONNX Runtime's JavaScript. */
  readonly load: () => Promise<Ort>;
  readonly binary: PackedFile;
  /** The script that ONNX Runtime starts the binary with. */
  readonly loader: string;
}

/** Fetch the scripts while larger files are under way; failures show when they are used. */
export function fetchScripts({ load, loader }: RuntimeFiles): void {
  const address = new URL(loader, import.meta.url).href;
  void Promise.allSettled([load(), import(/* @vite-ignore */ address)]);
}

const WASM: RuntimeFiles = {
  load: () => import("onnxruntime-web/wasm"),
  binary: wasmBinary,
  loader: wasmLoader,
};
const ASYNCIFY: RuntimeFiles = {
  load: () => import("onnxruntime-web/webgpu"),
  binary: asyncifyBinary,
  loader: asyncifyLoader,
};
const JSPI: RuntimeFiles = {
  load: () => import("onnxruntime-web/jspi"),
  binary: jspiBinary,
  loader: jspiLoader,
};

/** SHA-256 of every runtime of this build. */
export const RUNTIME_DIGESTS = [WASM, ASYNCIFY, JSPI].map(({ binary }) => binary.sha256);

/**
 * The files for `backend`. `threads` are WebAssembly's, and count only where the page is cross-origin
 * isolated; null: ONNX Runtime's own choice. On WebGPU one is enough: the card computes.
 */
export function runtimeFiles(backend: Backend, threads: number | null = null): RuntimeFiles {
  const files = backend === "wasm" ? WASM : "Suspending" in WebAssembly ? JSPI : ASYNCIFY;
  const count = backend === "wasm" ? threads : 1;
  if (count === null || !globalThis.crossOriginIsolated) return files;
  const load = async (): Promise<Ort> => {
    const ort = await files.load();
    ort.env.wasm.numThreads = count;
    return ort;
  };
  return { ...files, load };
}
