/** Sizes of the two WebAssembly runtimes, measured when the page was built (vite.config.ts). */
declare const __WEBGPU_RUNTIME_BYTES__: number;
declare const __WASM_RUNTIME_BYTES__: number;

declare module "onnxruntime-web/*?url" {
  const url: string;
  export default url;
}
