/**
 * How the page reaches a visitor: small, kept for the next visit, without a network, and whatever
 * the host does to it. Faults on the way are in network.test.mjs, threads and the policy in
 * policy.test.mjs.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";

import { DIST, PREFIX, SPLIT_BUNDLE, stats } from "./site.mjs";
import {
  digestsIn,
  downloads,
  drawsAsTorch,
  eventually,
  everythingKept,
  freshVisitor,
  kept,
  model,
  nameOf,
  runtime,
  shellsIn,
} from "./visitor.mjs";

describe("the folder of the page", () => {
  it("has each runtime once, gzipped, and nothing that no path uses", () => {
    const names = readdirSync(path.join(DIST, "assets")).filter((name) => !name.endsWith(".js"));
    const wasm = names.filter((name) => name.includes(".wasm"));
    assert.deepEqual(wasm.map((name) => name.replace(/-[^-]*$/, "")).sort(), [
      "ort-wasm-simd-threaded",
      "ort-wasm-simd-threaded.asyncify",
      "ort-wasm-simd-threaded.jspi",
    ]);
    for (const name of wasm) {
      const start = readFileSync(path.join(DIST, "assets", name)).subarray(0, 2);
      assert.deepEqual([...start], [0x1f, 0x8b], name);
    }
  });
});

describe("a visitor who comes back", () => {
  const visitor = freshVisitor();

  it("has at first downloaded one runtime, packed, and one model", async () => {
    const page = await visitor.browser.openReady("?ui=off");
    await drawsAsTorch(page);
    assert.deepEqual(downloads(visitor.browser), [runtime, model.file].sort());
    await everythingKept(page);
    await page.close();
  });

  it("downloads neither again", async () => {
    visitor.browser.requests.length = 0;
    const page = await visitor.browser.openReady("?ui=off");
    await drawsAsTorch(page);
    assert.deepEqual(downloads(visitor.browser), []);
    await page.close();
  });

  it("downloads both with ?nocache", async () => {
    visitor.browser.requests.length = 0;
    const page = await visitor.browser.openReady("?ui=off&nocache");
    assert.deepEqual(downloads(visitor.browser), [runtime, model.file].sort());
    await page.close();
  });

  it("sees a scene that was exported again, and the old one's files go", async () => {
    const scene = visitor.site.mounts.find(([prefix]) => prefix.endsWith("/scene/"));
    scene[1] = SPLIT_BUNDLE;
    const page = await visitor.browser.openReady("?ui=off");
    await drawsAsTorch(page, 1, SPLIT_BUNDLE);
    const gone = (caches) => !digestsIn(caches).includes(model.sha256);
    await eventually(page, gone, "the earlier model is still kept");
    assert.equal(digestsIn(await kept(page)).length, 2);
    await page.close();
  });

  it("sees it without a network too, from its poster on", async () => {
    await visitor.site.close();
    const page = await visitor.browser.openReady("");
    await drawsAsTorch(page, 2, SPLIT_BUNDLE);
    const poster = await page.evaluate(
      () => /** @type {HTMLImageElement} */ (document.querySelector("#poster")).naturalWidth,
    );
    assert.ok(poster > 0);
    assert.equal(await page.locator("#message").innerText(), "");
    await page.close();
  });
});

describe("a page that is built anew", () => {
  const visitor = freshVisitor();
  const folder = mkdtempSync(path.join(os.tmpdir(), "pocketfield-builds-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Another build: other content, so another name of the style sheet, and of the build. */
  function anotherBuild(name) {
    const output = path.join(folder, name);
    cpSync(DIST, output, { recursive: true });
    const css = readdirSync(path.join(output, "assets")).find((file) => file.endsWith(".css"));
    const [build] = readFileSync(path.join(output, "sw.js"), "utf8").match(/\b[0-9a-f]{12}\b/);
    for (const file of ["index.html", "sw.js"]) {
      const text = readFileSync(path.join(output, file), "utf8");
      const changed = text.replaceAll(css, `${name}.css`).replaceAll(build, name.padEnd(12, "0"));
      assert.notEqual(changed, text);
      writeFileSync(path.join(output, file), changed);
    }
    cpSync(path.join(output, "assets", css), path.join(output, "assets", `${name}.css`));
    rmSync(path.join(output, "assets", css));
    visitor.site.mounts.find(([prefix]) => prefix === PREFIX)[1] = output;
  }
  const styleOf = (page) =>
    page.evaluate(
      () => /** @type {HTMLLinkElement} */ (document.querySelector("link[rel=stylesheet]")).href,
    );

  it("shows at once, and leaves the page that is open what it may still load", async () => {
    const page = await visitor.browser.openReady("?ui=off");
    await everythingKept(page);
    anotherBuild("second");
    const next = await visitor.browser.openReady("?ui=off");
    assert.equal(nameOf(await styleOf(next)), "second.css");
    const both = (caches) => shellsIn(caches).some((name) => name.includes("second"));
    await eventually(next, both, "the second build is not kept");
    assert.equal(shellsIn(await kept(next)).length, 2);
    await drawsAsTorch(page);
    await page.close();
    await next.close();
  });

  it("and once more: the build before the last is forgotten", async () => {
    anotherBuild("third");
    const page = await visitor.browser.openReady("?ui=off");
    const two = (caches) =>
      shellsIn(caches).length === 2 && shellsIn(caches).some((name) => name.includes("third"));
    await eventually(page, two, "the builds that are kept");
    await page.close();
  });

  it("opens without a network as the last build", async () => {
    await visitor.site.close();
    const page = await visitor.browser.openReady("?ui=off");
    assert.equal(nameOf(await styleOf(page)), "third.css");
    await drawsAsTorch(page);
    await page.close();
  });

  it("does not bring back, empty, what was forgotten", async () => {
    const page = await visitor.browser.openReady("?ui=off");
    const third = shellsIn(await kept(page)).find((name) => name.includes("third"));
    await page.evaluate(async (name) => {
      await caches.delete(name);
      await fetch("icon.svg").catch(() => "no network either");
    }, third);
    assert.ok(!shellsIn(await kept(page)).includes(third));
    await page.close();
  });
});

describe("a host that sends .gz files as gzip-encoded", () => {
  const visitor = freshVisitor();

  it("is understood", async () => {
    visitor.site.host.encodesGzip = true;
    const page = await visitor.browser.openReady("?ui=off");
    await drawsAsTorch(page);
    assert.deepEqual(downloads(visitor.browser), [runtime, model.file].sort());
    await page.close();
  });
});

describe("a browser with WebGPU, but whose WebAssembly cannot wait (no JSPI)", () => {
  const visitor = freshVisitor({ reducedMotion: "reduce" }, "software");

  it("takes the larger runtime, and draws the same", async () => {
    const assets = path.join(DIST, "assets");
    const worker = readdirSync(assets).find((name) => name.startsWith("worker-"));
    const script = readFileSync(path.join(assets, worker), "utf8");
    // The page's own policy, as a header that binds the worker too.
    const html = readFileSync(path.join(DIST, "index.html"), "utf8");
    const [, policy] = html.match(/Content-Security-Policy"\s+content="([^"]*)"/);
    visitor.site.host.headers = { "Content-Security-Policy": policy };
    visitor.site.faults.set(`${PREFIX}assets/${worker}`, (response) =>
      response
        .writeHead(200, { "Content-Type": "text/javascript", ...visitor.site.host.headers })
        .end(`delete WebAssembly.Suspending;${script}`),
    );
    const page = await visitor.browser.openReady("?ui=off&backend=webgpu&scene=split/");
    assert.equal((await stats(page)).backend, "webgpu");
    await drawsAsTorch(page, 1, SPLIT_BUNDLE);
    const [packed] = downloads(visitor.browser).filter((name) => name.endsWith(".gz"));
    assert.match(packed, /\.asyncify-/);
    await page.close();
  });
});
