import { statSync } from "node:fs";
import { createRequire } from "node:module";

import { defaultClientConditions } from "vite";
import { defineConfig } from "vitest/config";

const require = createRequire(import.meta.url);
const runtimeBytes = (file: string): number =>
  statSync(require.resolve(`onnxruntime-web/${file}`)).size;

export default defineConfig({
  base: "./", // the page works under any path prefix
  define: {
    // A host that compresses sends no usable Content-Length: the build says what to expect.
    __WEBGPU_RUNTIME_BYTES__: runtimeBytes("ort-wasm-simd-threaded.asyncify.wasm"),
    __WASM_RUNTIME_BYTES__: runtimeBytes("ort-wasm-simd-threaded.wasm"),
  },
  // The variant of onnxruntime-web's JavaScript that leaves its loader outside: half the size.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  worker: { format: "es", rolldownOptions: { output: { assetFileNames } } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 200,
    rolldownOptions: { output: { assetFileNames } },
  },
  test: { include: ["test/**/*.test.ts"] },
});

/** Not every host knows `.mjs`, and a browser refuses a module without a JavaScript MIME type. */
function assetFileNames(asset: { names: string[] }): string {
  return asset.names.some((name) => name.endsWith(".mjs"))
    ? "assets/[name]-[hash].js"
    : "assets/[name]-[hash][extname]";
}
