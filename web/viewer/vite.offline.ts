/**
 * The service worker: built after the page, from the list of the page's own small files.
 *
 *     dist/{index.html, assets/*.js, *.css, icon.svg} --src/service_worker.ts--> dist/sw.js
 *
 * ONNX Runtime and the models are not on the list: the page keeps them by their content (cache.ts).
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "vite";

const SOURCE = fileURLToPath(new URL("src/service_worker.ts", import.meta.url));
const SHELL = /^(index\.html|icon\.svg|assets\/.*\.(js|css))$/;

/** Writes sw.js beside the page. */
export function serviceWorker(): Plugin {
  let output = "";
  return {
    name: "pocketfield:service-worker",
    apply: "build",
    configResolved({ root, build: { outDir } }) {
      output = path.resolve(root, outDir);
    },
    async writeBundle() {
      const files = readdirSync(output, { recursive: true, encoding: "utf8" })
        .map((name) => name.split(path.sep).join("/"))
        .filter((name) => SHELL.test(name))
        .sort();
      writeFileSync(path.join(output, "sw.js"), await compiled(output, files));
    },
  };
}

async function compiled(output: string, files: readonly string[]): Promise<string> {
  const digest = createHash("sha256");
  for (const name of files) digest.update(name).update(readFileSync(path.join(output, name)));
  const built = await build({
    configFile: false,
    logLevel: "warn",
    define: {
      // Some hosts redirect index.html to its folder, and such an answer cannot open a page.
      __SHELL__: JSON.stringify(files.map((name) => (name === "index.html" ? "./" : name))),
      __BUILD__: JSON.stringify(digest.digest("hex").slice(0, 12)),
    },
    // A classic script: Firefox has no service workers that are modules.
    build: {
      write: false,
      copyPublicDir: false,
      target: "es2022",
      lib: { entry: SOURCE, formats: ["iife"], name: "serviceWorker", fileName: "sw" },
    },
  });
  const [first] = [built].flat();
  const chunk = first !== undefined && "output" in first ? first.output[0] : undefined;
  if (chunk === undefined) throw new Error("the service worker was not built");
  return chunk.code;
}
