/**
 * What the tests of delivery share: a host and a browser that has never been there, and a look at
 * what the browser keeps.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import path from "node:path";

import { fromBytes, psnr } from "./pictures.mjs";
import { BUNDLE, DIST, drawReference, manifest, PREFIX, PSNR, reference, visits } from "./site.mjs";

/** The model that WebAssembly takes, and its address. */
export const model = manifest().models.find(({ precision }) => precision === "fp32");
export const MODEL = `${PREFIX}scene/${model.file}`;
export const MANIFEST = `${PREFIX}scene/manifest.json`;
/** WebAssembly's runtime. */
export const runtime = readdirSync(path.join(DIST, "assets")).find((name) =>
  /^ort-wasm-simd-threaded-.*\.wasm\.gz$/.test(name),
);
export const RUNTIME = `${PREFIX}assets/${runtime}`;

/** As `visits`, with a service worker. */
export const freshVisitor = (options = {}, gpu = "none") =>
  visits(gpu, { serviceWorkers: "allow", ...options });

/** The browser forgets all that it keeps of the page's host; the page is closed. */
export async function forget(page) {
  const session = await page.context().newCDPSession(page);
  const { origin } = new URL(page.url());
  await session.send("Storage.clearDataForOrigin", { origin, storageTypes: "all" });
  await page.close();
}

/** The last part of an address's path. */
export const nameOf = (url) => new URL(url).pathname.split("/").pop();

/** The large files that have been asked for, by name. */
export const downloads = ({ requests }) =>
  requests
    .map(nameOf)
    .filter((name) => /\.(gz|onnx|bin)$/.test(name))
    .sort();

/** The addresses in each of the page's caches. */
export function kept(page) {
  return page.evaluate(async () => {
    const found = {};
    for (const name of await caches.keys()) {
      const requests = await (await caches.open(name)).keys();
      found[name] = requests.map(({ url }) => url);
    }
    return found;
  });
}

/** The digests that cache.ts keeps. */
export const digestsIn = (caches) =>
  (caches["pocketfield-files-1"] ?? []).flatMap((url) => url.match(/content\/(.*)$/)?.[1] ?? []);

/** The builds of the page that the service worker keeps. */
export const shellsIn = (caches) =>
  Object.keys(caches).filter((name) => name.startsWith("pocketfield-shell"));

/** What the browser keeps comes to be as it should. */
export async function eventually(page, holds, what) {
  const until = Date.now() + 30_000;
  while (!holds(await kept(page))) {
    assert.ok(Date.now() < until, `${what}: ${JSON.stringify(await kept(page), null, 1)}`);
    await page.waitForTimeout(100);
  }
}

/** Model and runtime, manifest and poster, the page: all are kept. */
export const everythingKept = (page) =>
  eventually(
    page,
    (caches) =>
      digestsIn(caches).length >= 2 &&
      (caches["pocketfield-scenes-1"] ?? []).length >= 2 &&
      shellsIn(caches).length >= 1,
    "not everything is kept",
  );

/** The page draws the k-th reference camera as torch does. */
export async function drawsAsTorch(page, k = 1, bundle = BUNDLE) {
  const found = psnr(fromBytes(await drawReference(page, k)), reference(k, bundle));
  assert.ok(found >= PSNR, `reference ${k}: ${found.toFixed(1)} dB`);
}
