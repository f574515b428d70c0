/**
 * What the page may do: threads where it is cross-origin isolated, and nothing that its
 * Content-Security-Policy forbids.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { drag, openBrowser, openSite, PREFIX, ready, stats } from "./site.mjs";
import { drawsAsTorch, freshVisitor, nameOf } from "./visitor.mjs";

describe("?threads", () => {
  const isolated = (page) => page.evaluate(() => crossOriginIsolated);
  const note = (page) => page.locator('#message[data-kind="note"]').innerText();

  /** A page with two threads, and how often it has been loaded. */
  async function openCounted({ site, browser }) {
    const page = await browser.context.newPage();
    let count = 0;
    page.on("domcontentloaded", () => count++);
    await page.goto(`${site.origin}${PREFIX}?ui=off&threads=2`);
    return { page, loads: () => count };
  }

  describe("on a host without headers", () => {
    const visitor = freshVisitor();

    it("reloads once, isolated by the service worker, and draws with that many threads", async () => {
      const { page, loads } = await openCounted(visitor);
      await page.waitForFunction(() => crossOriginIsolated).catch(() => {});
      await ready(page);
      assert.equal(await isolated(page), true);
      assert.equal(loads(), 2);
      assert.equal((await stats(page)).backend, "wasm");
      await drawsAsTorch(page);
      assert.equal(page.workers().length, 2); // the drawing worker, and a thread of ONNX Runtime's
      await page.close();
    });

    it("does so at once the next time", async () => {
      const { page, loads } = await openCounted(visitor);
      await ready(page);
      assert.equal(await isolated(page), true);
      assert.equal(loads(), 1);
      await page.close();
    });

    it("leaves pages without it alone", async () => {
      const page = await visitor.browser.openReady("?ui=off");
      assert.equal(await isolated(page), false);
      await drawsAsTorch(page);
      await page.close();
    });

    it("inside another page says that it cannot, and draws", async () => {
      const address = "/outer.html";
      visitor.site.faults.set(address, (response) =>
        response
          .writeHead(200, { "Content-Type": "text/html" })
          .end(`<iframe src="${PREFIX}?threads=2" width="400" height="300"></iframe>`),
      );
      const page = await visitor.browser.context.newPage();
      await page.goto(visitor.site.origin + address);
      const frame = page.frames()[1];
      await frame.waitForFunction(() => window.pocketfield);
      await frame.evaluate(() => window.pocketfield.ready);
      assert.equal(await isolated(frame), false);
      await page.close();
    });
  });

  describe("in a browser without service workers", () => {
    const visitor = freshVisitor({ serviceWorkers: "block" });
    it("says that it cannot, and draws with one", async () => {
      const page = await visitor.browser.open("?threads=2");
      await page.locator('#message[data-kind="note"]').waitFor();
      assert.match(await note(page), /One thread only/);
      await ready(page);
      assert.equal(await isolated(page), false);
      await page.close();
    });
  });

  describe("on a host that sends the headers", () => {
    const visitor = freshVisitor();
    it("needs no reload", async () => {
      visitor.site.host.headers = {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
      };
      const { page, loads } = await openCounted(visitor);
      await ready(page);
      assert.equal(await isolated(page), true);
      assert.equal(loads(), 1);
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
      browser = await openBrowser(site, gpu, { reducedMotion: "reduce", serviceWorkers: "allow" });
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
    // WebGPU made by software takes seconds for a frame: the smaller scene, and fewer pages.
    const scene = gpu === "software" ? "?backend=webgpu&scene=split/" : "?";
    const ways = ["&embed", "&threads=2", "&nocache", "&reference=2", "&form=graph"];

    it("is kept by every kind of page", async () => {
      const page = await browser.openReady(scene);
      await drag(page, -40, 10);
      await page.locator("#help-button").click();
      await page.locator("#help").getByRole("button", { name: "Close" }).click();
      await page.close();
      for (const way of gpu === "software" ? ways.slice(0, 2) : ways) {
        const page = await browser.openReady(scene + way);
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

    it("fetches only the runtime that it needs", () => {
      const runtimes = browser.requests.map(nameOf).filter((name) => name.endsWith(".wasm.gz"));
      const kinds = runtimes.map((name) => name.replace(/-[^-]*$/, ""));
      const needed = gpu === "software" ? ".jspi" : "";
      assert.deepEqual([...new Set(kinds)], [`ort-wasm-simd-threaded${needed}`]);
    });

    it("would have been seen to be broken", async () => {
      const page = await browser.openReady("?ui=off");
      await page.evaluate(() => {
        document.body.insertAdjacentHTML("beforeend", '<p style="color: red">');
        return fetch("https://elsewhere.example/").catch(() => {});
      });
      await page.waitForTimeout(200);
      const directives = violations.map((text) => text.split(":")[0]).sort();
      assert.deepEqual([...new Set(directives)], ["connect-src", "style-src-attr"]);
      await page.close();
    });
  });
}
