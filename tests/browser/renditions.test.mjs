/**
 * The smaller rendition of a model in ONNX Runtime Web: weights from the full size's file, one ray
 * network for both sizes, a last shader of its own.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { fromBytes, psnr, readPng } from "./pictures.mjs";
import { serve } from "./server.mjs";
import { runShaders } from "./shaders.mjs";
import { BUNDLE, DIST, manifest, openBrowser, PREFIX, PSNR, SPLIT_BUNDLE } from "./site.mjs";

const RUNTIME = fileURLToPath(
  new URL("../../web/viewer/node_modules/onnxruntime-web/dist", import.meta.url),
);

let site;
before(async () => {
  site = await serve([
    [`${PREFIX}scene/`, BUNDLE],
    [`${PREFIX}split/`, SPLIT_BUNDLE],
    [`${PREFIX}runtime/`, RUNTIME],
    [PREFIX, DIST],
  ]);
});
after(() => site.close());

/** The bundle's single-precision model. */
const single = (bundle) => manifest(bundle).models.find(({ precision }) => precision === "fp32");

/** What torch drew for the k-th reference camera at the size of `rendition`. */
function torchs(bundle, k, rendition) {
  const view = manifest(bundle).references[k];
  const full = rendition.width === single(bundle).width;
  return readPng(path.join(bundle, full ? view.image : view.reduced.file));
}

/** Pictures of `rendition` for every third reference camera: its graph with the model's file beside it. */
async function drawGraph(page, bundle, folder, backend) {
  const { file, reduced } = single(bundle);
  const cameras = manifest(bundle)
    .references.filter((_, k) => k % 3 === 0)
    .map(({ camera }) => camera);
  return page.evaluate(
    async ({ backend, folder, file, small, cameras, dims }) => {
      const ort = await import(
        new URL(`runtime/ort.${backend === "wasm" ? "wasm" : "webgpu"}.min.mjs`, location.href).href
      );
      ort.env.wasm.wasmPaths = new URL("runtime/", location.href).href;
      ort.env.wasm.numThreads = 1;
      const bytes = async (name) =>
        new Uint8Array(await (await fetch(`${folder}/${name}`)).arrayBuffer());
      const session = await ort.InferenceSession.create(await bytes(small), {
        executionProviders: [backend],
        externalData: [{ path: file, data: await bytes(file) }],
      });
      const pictures = [];
      for (const { T_norm_camera, intrinsics } of cameras) {
        const found = await session.run({
          T_norm_camera: new ort.Tensor("float32", T_norm_camera, [4, 4]),
          intrinsics: new ort.Tensor("float32", intrinsics, [4]),
        });
        const planes = await found.rgba.getData();
        const pixels = dims[0] * dims[1];
        pictures.push(
          Array.from({ length: 4 * pixels }, (_, i) =>
            Math.round(255 * planes[(i % 4) * pixels + Math.floor(i / 4)]),
          ),
        );
      }
      return pictures;
    },
    {
      backend,
      folder,
      file,
      small: reduced.file.file,
      cameras,
      dims: [reduced.height, reduced.width],
    },
  );
}

/** Hold pictures of every third camera to torch's. */
function agree(test, bundle, rendition, pictures) {
  const { width, height } = rendition;
  const found = pictures.map((rgba, index) =>
    psnr(fromBytes({ width, height, rgba }), torchs(bundle, 3 * index, rendition)),
  );
  test.diagnostic(`against torch at ${width}x${height}: ${found.map((x) => x.toFixed(1))} dB`);
  assert.ok(found.length === 2 && Math.min(...found) >= PSNR, `${found}`);
}

describe("a whole graph at half its size, with the full size's file as external data", () => {
  for (const [backend, gpu] of [
    ["wasm", "none"],
    ["webgpu", "software"],
  ]) {
    it(`draws torch's pictures on ${backend}`, async (test) => {
      const browser = await openBrowser(site, gpu);
      try {
        const page = await browser.open("?ui=off&backend=wasm");
        const { reduced } = single(SPLIT_BUNDLE);
        assert.ok(reduced.file.bytes < single(SPLIT_BUNDLE).bytes);
        agree(test, SPLIT_BUNDLE, reduced, await drawGraph(page, SPLIT_BUNDLE, "split", backend));
      } finally {
        await browser.close();
      }
    });
  }
});

describe("a split form at both sizes", () => {
  it("draws torch's pictures with one network", async (test) => {
    const browser = await openBrowser(site, "software");
    try {
      const page = await browser.open("?ui=off&backend=wasm");
      const model = single(SPLIT_BUNDLE);
      const { reduced } = model;
      assert.deepEqual(reduced.split.network, model.split.network);
      assert.deepEqual(reduced.split.encode, model.split.encode);
      const folder = new URL("split/", page.url()).href;
      const { references } = manifest(SPLIT_BUNDLE);
      for (const rendition of [reduced, { ...model }, reduced]) {
        const pictures = [];
        for (const { camera } of [references[0], references[3]]) {
          const part = { ...rendition, precision: "fp32" };
          const nothing = Array(part.split.ends.reduce((a, b) => a * b)).fill(0);
          const { encoded } = await runShaders(page, folder, part, camera, nothing);
          const ends = await throughNetwork(page, folder, part.split, encoded);
          pictures.push((await runShaders(page, folder, part, camera, ends)).rgba);
        }
        agree(test, SPLIT_BUNDLE, rendition, pictures);
      }
    } finally {
      await browser.close();
    }
  });
});

/** The ray network on WebGPU; the same session, whatever the size. */
function throughNetwork(page, folder, { network, encoded: dims, ends }, encoded) {
  return page.evaluate(
    async ({ address, dims, ends, encoded }) => {
      const runtime = new URL("runtime/", location.href).href;
      const ort = await import(`${runtime}ort.webgpu.min.mjs`);
      ort.env.wasm.wasmPaths = runtime;
      const kept = /** @type {any} */ (window);
      kept.network ??= await ort.InferenceSession.create(address, {
        executionProviders: ["webgpu"],
      });
      const feeds = { encoded: new ort.Tensor("float32", encoded, dims) };
      const found = (await kept.network.run(feeds)).ends;
      if (String(found.dims) !== String(ends)) throw new Error(`${found.dims}, not ${ends}`);
      return Array.from(await found.getData());
    },
    { address: folder + network.file, dims, ends, encoded: Array.from(encoded) },
  );
}
