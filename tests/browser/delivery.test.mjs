/**
 * How the page reaches a visitor: small, kept for the next visit, without a network, whatever the
 * host does to it, and with nobody else asked.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, afterEach, before, describe, it } from "node:test";

import { fromBytes, psnr } from "./pictures.mjs";
import {
  BUNDLE,
  DIST,
  drag,
  drawReference,
  manifest,
  openBrowser,
  openSite,
  PREFIX,
  PSNR,
  ready,
  reference,
  SPLIT_BUNDLE,
  stats,
} from "./site.mjs";

const model = manifest().models.find(({ precision }) => precision === "fp32");
const MODEL = `${PREFIX}scene/${model.file}`;
const runtime = readdirSync(path.join(DIST, "assets")).find((name) =>
  /^ort-wasm-simd-threaded-.*\.wasm\.gz$/.test(name),
);
const RUNTIME = `${PREFIX}assets/${runtime}`;

let site;
let browser;

/** A host and a browser that has never been there. */
function freshVisitor(options = {}) {
  before(async () => {
    site = await openSite();
    browser = await openBrowser(site, "none", options);
  });
  after(async () => {
    await browser.close();
    await site.close().catch(() => {});
  });
  afterEach(() => site.faults.clear());
}

const nameOf = (url) => new URL(url).pathname.split("/").pop();
/** The large files that have been asked for, by name. */
const downloads = () =>
  browser.requests.map(nameOf).filter((name) => /\.(gz|onnx|bin)$/.test(name));

/** What the visitor's browser keeps: the digests of cache.ts, and the addresses in each cache. */
function kept(page) {
  return page.evaluate(async () => {
    const found = {};
    for (const name of await caches.keys()) {
      const requests = await (await caches.open(name)).keys();
      found[name] = requests.map(({ url }) => url);
    }
    return found;
  });
}
const digestsIn = (caches) =>
  (caches["pocketfield-files-1"] ?? []).flatMap((url) => url.match(/content\/(.*)$/)?.[1] ?? []);

/** The condition comes to hold in the page. */
async function eventually(page, holds, what) {
  const until = Date.now() + 20_000;
  while (!(await holds(await kept(page)))) {
    assert.ok(Date.now() < until, `${what}: ${JSON.stringify(await kept(page), null, 1)}`);
    await page.waitForTimeout(100);
  }
}

const all = (page) => (caches) =>
  digestsIn(caches).length >= 2 &&
  (caches["pocketfield-scenes-1"] ?? []).length >= 2 &&
  Object.keys(caches).some((name) => name.startsWith("pocketfield-shell"));
const everythingKept = (page) => eventually(page, all(page), "not everything is kept");

async function drawsAsTorch(page, k = 1, bundle = BUNDLE) {
  const found = psnr(fromBytes(await drawReference(page, k)), reference(k, bundle));
  assert.ok(found >= PSNR, `reference ${k}: ${found.toFixed(1)} dB`);
}

describe("the folder of the page", () => {
  it("has each runtime once, gzipped, and nothing that no path uses", () => {
    const names = readdirSync(path.join(DIST, "assets"));
    const wasm = names
      .filter((name) => name.includes(".wasm"))
      .map((name) => name.split("-").slice(0, -1).join("-"));
    assert.deepEqual(wasm.sort(), [
      "ort-wasm-simd-threaded",
      "ort-wasm-simd-threaded.asyncify",
      "ort-wasm-simd-threaded.jspi",
    ]);
    for (const name of names.filter((name) => name.includes(".wasm"))) {
      const start = readFileSync(path.join(DIST, "assets", name)).subarray(0, 2);
      assert.deepEqual([...start], [0x1f, 0x8b], name);
    }
  });
});

describe("a visitor who comes back", () => {
  freshVisitor();

  it("has at first downloaded one runtime, packed, and one model", async () => {
    const page = await browser.openReady("?ui=off");
    await drawsAsTorch(page);
    assert.deepEqual(downloads().sort(), [runtime, model.file].sort());
    await everythingKept(page);
    await page.close();
  });

  it("downloads neither again", async () => {
    browser.requests.length = 0;
    const page = await browser.openReady("?ui=off");
    await drawsAsTorch(page);
    assert.deepEqual(downloads(), []);
    await page.close();
  });

  it("downloads both with ?nocache", async () => {
    browser.requests.length = 0;
    const page = await browser.openReady("?ui=off&nocache");
    assert.deepEqual(downloads().sort(), [runtime, model.file].sort());
    await page.close();
  });

  it("sees a scene that was exported again, and the old one's files go", async () => {
    const scene = site.mounts.find(([prefix]) => prefix.endsWith("/scene/"));
    scene[1] = SPLIT_BUNDLE;
    const page = await browser.openReady("?ui=off");
    await drawsAsTorch(page, 1, SPLIT_BUNDLE);
    const gone = (caches) => !digestsIn(caches).includes(model.sha256);
    await eventually(page, gone, "the earlier model is still kept");
    assert.equal(digestsIn(await kept(page)).length, 2);
    await page.close();
  });

  it("sees it without a network too, from its poster on", async () => {
    await site.close();
    const page = await browser.openReady("");
    await drawsAsTorch(page, 2, SPLIT_BUNDLE);
    const poster = await page.evaluate(() => document.querySelector("#poster").naturalWidth);
    assert.ok(poster > 0);
    assert.equal(await page.locator("#message").innerText(), "");
    await page.close();
  });
});

describe("a page that is built anew", () => {
  freshVisitor();
  const folder = mkdtempSync(path.join(os.tmpdir(), "pocketfield-builds-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const shellsIn = (caches) =>
    Object.keys(caches).filter((name) => name.startsWith("pocketfield-shell"));

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
    site.mounts.find(([prefix]) => prefix === PREFIX)[1] = output;
  }
  const styleOf = (page) =>
    page.evaluate(() => document.querySelector("link[rel=stylesheet]").href);

  it("shows at once, and leaves the page that is open what it may still load", async () => {
    const page = await browser.openReady("?ui=off");
    await everythingKept(page);
    anotherBuild("second");
    const next = await browser.openReady("?ui=off");
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
    const page = await browser.openReady("?ui=off");
    const two = (caches) =>
      shellsIn(caches).length === 2 && shellsIn(caches).some((name) => name.includes("third"));
    await eventually(page, two, "the builds that are kept");
    await page.close();
  });

  it("opens without a network as the last build", async () => {
    await site.close();
    const page = await browser.openReady("?ui=off");
    assert.equal(nameOf(await styleOf(page)), "third.css");
    await drawsAsTorch(page);
    await page.close();
  });
});

describe("a host that sends .gz files as gzip-encoded", () => {
  freshVisitor();

  it("is understood", async () => {
    site.host.encodesGzip = true;
    const page = await browser.openReady("?ui=off");
    await drawsAsTorch(page);
    assert.deepEqual(downloads().sort(), [runtime, model.file].sort());
    await page.close();
  });
});

describe("a fault on the way", () => {
  const bytes = readFileSync(path.join(BUNDLE, model.file));
  const flipped = Buffer.from(bytes);
  flipped[5000] ^= 1;
  const packed = readFileSync(path.join(DIST, "assets", runtime));
  const flippedPacked = Buffer.from(packed);
  flippedPacked[1_000_000] ^= 1;

  /** All that was announced does not come. */
  const breaksMidway = (content) => (response) => {
    response.writeHead(200, { "Content-Length": content.length, "Cache-Control": "no-store" });
    response.write(content.subarray(0, content.length >> 1), () =>
      setTimeout(() => response.destroy(), 50),
    );
  };
  const sends =
    (content, status = 200) =>
    (response) =>
      response.writeHead(status, { "Cache-Control": "no-store" }).end(content);

  /** `fault` meets the first request, or all of them. */
  function faulty(address, fault, always = false) {
    let count = 0;
    site.faults.set(address, (response, answer) => {
      if (count++ === 0 || always) fault(response);
      else answer();
    });
    return () => count;
  }

  const FAULTS = [
    ["a truncated model", MODEL, sends(bytes.subarray(0, 1000)), /only 1000 bytes/],
    ["one flipped bit in the model", MODEL, sends(flipped), /SHA-256/],
    ["a connection broken midway in the model", MODEL, breaksMidway(bytes), /broke off after/],
    ["HTTP 500 for the model", MODEL, sends("", 500), /HTTP 500/],
    ["a truncated runtime", RUNTIME, sends(packed.subarray(0, 100_000)), /ONNX Runtime/],
    ["one flipped bit in the runtime", RUNTIME, sends(flippedPacked), /ONNX Runtime/],
    ["a connection broken midway in the runtime", RUNTIME, breaksMidway(packed), /broke off after/],
    ["HTTP 500 for the manifest", `${PREFIX}scene/manifest.json`, sends("", 500), /HTTP 500/],
    [
      "half a manifest",
      `${PREFIX}scene/manifest.json`,
      sends(readFileSync(path.join(BUNDLE, "manifest.json")).subarray(0, 300)),
      /not JSON/,
    ],
  ];

  describe("once", () => {
    for (const [name, address, fault] of FAULTS) {
      describe(name, () => {
        freshVisitor();
        it("is mended by fetching it again", async () => {
          const count = faulty(address, fault);
          const page = await browser.openReady("?ui=off");
          assert.equal(count(), 2);
          await drawsAsTorch(page);
          await everythingKept(page);
          await page.close();
        });
      });
    }
  });

  describe("again and again", () => {
    freshVisitor();
    for (const [name, address, fault, message] of FAULTS) {
      it(`${name} is said, and nothing bad is kept`, async () => {
        const count = faulty(address, fault, true);
        const page = await browser.open("?ui=off");
        const error = page.locator('#message[data-kind="error"]');
        await error.waitFor();
        const text = await error.innerText();
        assert.match(text, message);
        assert.match(text, /try again|serves the scene's folder/);
        assert.equal(count(), 2);
        if (address === MODEL) {
          const digests = digestsIn(await kept(page));
          assert.ok(!digests.includes(model.sha256), "the bad model was kept");
        }
        await page.close();
      });
    }

    it("and when the host is well again, all is well", async () => {
      const page = await browser.openReady("?ui=off");
      await drawsAsTorch(page);
      await page.close();
    });
  });

  describe("the network goes away before the first visit is complete", () => {
    freshVisitor();
    it("is said, as what it is", async () => {
      site.faults.set(MODEL, () => {}); // never answers
      const page = await browser.open("?ui=off");
      await page.waitForRequest((request) => request.url().includes(model.file)).catch(() => {});
      await site.close();
      const error = page.locator('#message[data-kind="error"]');
      await error.waitFor();
      assert.match(await error.innerText(), /no answer|offline[^]*check the connection/);
      await page.close();
    });
  });

  describe("a slow network", () => {
    freshVisitor();
    it("shows how far it has come, in steps", async () => {
      site.faults.set(RUNTIME, (response) => {
        response.writeHead(200, { "Content-Length": packed.length });
        const step = Math.ceil(packed.length / 12);
        const send = (start) => {
          if (start >= packed.length) return response.end();
          response.write(packed.subarray(start, start + step));
          setTimeout(send, 100, start + step);
        };
        send(0);
      });
      const page = await browser.open("");
      const seen = new Set();
      for (let shown = 0; shown < 99;) {
        shown = Number(await page.locator("#progress").getAttribute("aria-valuenow"));
        seen.add(shown);
        if (await page.evaluate(() => document.documentElement.dataset.state === "ready")) break;
        await page.waitForTimeout(20);
      }
      const steps = [...seen];
      assert.ok(steps.length >= 6, `only ${steps}`);
      assert.deepEqual(
        steps,
        [...steps].sort((a, b) => a - b),
      );
      await ready(page);
      await page.close();
    });
  });
});

describe("?threads", () => {
  const isolated = (page) => page.evaluate(() => crossOriginIsolated);
  const note = (page) => page.locator('#message[data-kind="note"]').innerText();

  describe("on a host without headers", () => {
    freshVisitor();

    it("reloads once, isolated by the service worker, and draws with that many threads", async () => {
      const page = await browser.context.newPage();
      let loads = 0;
      page.on("domcontentloaded", () => loads++);
      await page.goto(`${site.origin}${PREFIX}?ui=off&threads=2`);
      await page.waitForFunction(() => crossOriginIsolated).catch(() => {});
      await ready(page);
      assert.equal(await isolated(page), true);
      assert.equal(loads, 2);
      assert.equal((await stats(page)).backend, "wasm");
      await drawsAsTorch(page);
      const threads = await page.workers()[0].evaluate(() => crossOriginIsolated);
      assert.equal(threads, true);
      await page.close();
    });

    it("does so at once the next time", async () => {
      const page = await browser.context.newPage();
      let loads = 0;
      page.on("domcontentloaded", () => loads++);
      await page.goto(`${site.origin}${PREFIX}?ui=off&threads=2`);
      await ready(page);
      assert.equal(await isolated(page), true);
      assert.equal(loads, 1);
      await page.close();
    });

    it("leaves pages without it alone", async () => {
      const page = await browser.openReady("?ui=off");
      assert.equal(await isolated(page), false);
      await drawsAsTorch(page);
      await page.close();
    });

    it("inside another page says that it cannot, and draws", async () => {
      const address = "/outer.html";
      site.faults.set(address, (response) =>
        response
          .writeHead(200, { "Content-Type": "text/html" })
          .end(`<iframe src="${PREFIX}?threads=2" width="400" height="300"></iframe>`),
      );
      const page = await browser.context.newPage();
      await page.goto(site.origin + address);
      const frame = page.frames()[1];
      await frame.waitForFunction(() => window.pocketfield);
      await frame.evaluate(() => window.pocketfield.ready);
      assert.equal(await isolated(frame), false);
      await page.close();
    });
  });

  describe("in a browser without service workers", () => {
    freshVisitor({ serviceWorkers: "block" });
    it("says that it cannot, and draws with one", async () => {
      const page = await browser.open("?threads=2");
      await page.locator('#message[data-kind="note"]').waitFor();
      assert.match(await note(page), /One thread only/);
      await ready(page);
      assert.equal(await isolated(page), false);
      await page.close();
    });
  });

  describe("on a host that sends the headers", () => {
    freshVisitor();
    it("needs no reload", async () => {
      site.host.headers = {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
      };
      const page = await browser.context.newPage();
      let loads = 0;
      page.on("domcontentloaded", () => loads++);
      await page.goto(`${site.origin}${PREFIX}?ui=off&threads=2`);
      await ready(page);
      assert.equal(await isolated(page), true);
      assert.equal(loads, 1);
      await drawsAsTorch(page);
      await page.close();
    });
  });
});

for (const gpu of ["none", "software"]) {
  describe(`the page's policy (${gpu === "none" ? "WebAssembly" : "WebGPU"})`, () => {
    let site;
    let browser;
    const violations = [];
    before(async () => {
      site = await openSite();
      browser = await openBrowser(site, gpu, { reducedMotion: "reduce" });
      await browser.context.exposeFunction("violated", (text) => violations.push(text));
      await browser.context.addInitScript(() =>
        document.addEventListener("securitypolicyviolation", (event) =>
          window["violated"](`${event.violatedDirective}: ${event.blockedURI}`),
        ),
      );
    });
    after(async () => {
      await browser.close();
      await site.close();
    });
    const backend = gpu === "software" ? "&backend=webgpu" : "";

    it("is kept by every kind of page", async () => {
      const page = await browser.openReady(`?${backend}`);
      await drag(page, -40, 10);
      await page.locator("#help-button").click();
      await page.locator("#help button").click();
      await page.close();
      for (const query of ["?embed", "?threads=2", "?nocache", "?scene=split/", "?reference=2"]) {
        const page = await browser.openReady(query + backend);
        await page.close();
      }
      for (const query of ["?scene=//elsewhere.example/", "?backend=cuda", "?scene=nowhere/"]) {
        const page = await browser.open(query);
        await page.locator('#message[data-kind="error"]').waitFor();
        await page.close();
      }
      assert.deepEqual(violations, []);
    });

    it("asks nobody but its own host", () => {
      const elsewhere = browser.requests.filter(
        (url) => !url.startsWith(`${site.origin}${PREFIX}`) && !/^(data|blob):/.test(url),
      );
      assert.deepEqual(elsewhere, []);
      assert.ok(browser.requests.length > 20);
    });

    it("would have been seen to be broken", async () => {
      const page = await browser.openReady("?ui=off");
      await page.evaluate(() => {
        document.body.insertAdjacentHTML("beforeend", '<p style="color: red">');
        return fetch("https://elsewhere.example/").catch(() => {});
      });
      await page.waitForTimeout(200);
      assert.deepEqual(violations.map((text) => text.split(":")[0]).sort(), [
        "connect-src",
        "style-src-attr",
      ]);
      await page.close();
    });
  });
}
