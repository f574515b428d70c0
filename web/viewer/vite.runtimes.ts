/**
 * ONNX Runtime's WebAssembly, gzipped when the page is built: small on every static host.
 *
 *     import runtime from "onnxruntime-web/NAME.wasm?packed" -> { url, packed, bytes, sha256 }
 *
 * The gzipped files are kept in Vite's cache, since packing 58 MB takes a while.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import type { Plugin } from "vite";

const SUFFIX = "?packed";
const PREFIX = "\0packed:";
const require = createRequire(import.meta.url);
const pack = promisify(gzip);

/** Resolves imports of `….wasm?packed`. */
export function packedRuntimes(): Plugin {
  let folder = "";
  return {
    name: "pocketfield:packed-runtimes",
    enforce: "pre",
    configResolved({ cacheDir }) {
      folder = path.join(cacheDir, "runtimes");
    },
    resolveId: (id) => (id.endsWith(SUFFIX) ? PREFIX + id.slice(0, -SUFFIX.length) : undefined),
    async load(id) {
      if (!id.startsWith(PREFIX)) return undefined;
      const raw = await readFile(require.resolve(id.slice(PREFIX.length)));
      const sha256 = createHash("sha256").update(raw).digest("hex");
      const name = `${path.basename(id)}.gz`;
      const file = path.join(folder, sha256.slice(0, 12), name);
      await write(file, raw);
      const facts = { packed: (await stat(file)).size, bytes: raw.length, sha256 };
      return `import url from ${JSON.stringify(`${file}?url`)};
        export default { url, ...${JSON.stringify(facts)} };`;
    },
  };
}

async function write(file: string, raw: Uint8Array): Promise<void> {
  if (existsSync(file)) return;
  await mkdir(path.dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}`;
  await writeFile(partial, await pack(raw, { level: constants.Z_BEST_COMPRESSION }));
  await rename(partial, file); // another build may be at it too: whoever is last is as good
}
