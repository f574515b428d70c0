import { defaultClientConditions, type Plugin } from "vite";
import { defineConfig } from "vitest/config";

import { serviceWorker } from "./vite.offline.ts";
import { packedRuntimes } from "./vite.runtimes.ts";

export default defineConfig({
  base: "./", // the page works under any path prefix
  plugins: [packedRuntimes(), serviceWorker(), looserPolicyInDevelopment()],
  // The variant of onnxruntime-web's JavaScript that leaves its loader outside: half the size.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  worker: {
    format: "es",
    plugins: () => [packedRuntimes()],
    rolldownOptions: { output: { assetFileNames } },
  },
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
  const ends = (ending: string): boolean => asset.names.some((name) => name.endsWith(ending));
  if (ends(".mjs")) return "assets/[name]-[hash].js";
  const packed = asset.names.find((name) => name.endsWith(".wasm.gz"));
  if (packed === undefined) return "assets/[name]-[hash][extname]";
  return `assets/${packed.slice(0, -".wasm.gz".length)}-[hash].wasm.gz`;
}

/** Vite's development server puts styles into the page itself, which the page's policy forbids. */
function looserPolicyInDevelopment(): Plugin {
  return {
    name: "pocketfield:policy",
    apply: "serve",
    transformIndexHtml: (html) =>
      html.replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, ""),
  };
}
