/** Where the files of ONNX Runtime lie beside the page, for each backend. */
import type { Backend } from "./device";
import type { Ort } from "./runtime";

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
