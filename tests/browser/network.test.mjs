/**
 * What goes wrong on the way is mended by fetching once more, or said; nothing bad is kept.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";

import { BUNDLE, DIST, ready } from "./site.mjs";
import {
  digestsIn,
  drawsAsTorch,
  everythingKept,
  forget,
  freshVisitor,
  kept,
  MANIFEST,
  MODEL,
  model,
  RUNTIME,
  runtime,
} from "./visitor.mjs";

const bytes = readFileSync(path.join(BUNDLE, model.file));
const packed = readFileSync(path.join(DIST, "assets", runtime));
const half = readFileSync(path.join(BUNDLE, "manifest.json")).subarray(0, 300);

/** `content` with one bit flipped. */
function flipped(content, at) {
  const copy = Buffer.from(content);
  copy[at] ^= 1;
  return copy;
}

/** Half of what was announced comes. */
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

/** `fault` meets the first request for `address`, or all; how many there were. */
function faulty({ faults }, address, fault, always = false) {
  let count = 0;
  faults.set(address, (response, answer) => {
    if (count++ === 0 || always) fault(response);
    else answer();
  });
  return () => count;
}

/** @type {[string, string, (response: any) => void, RegExp][]} */
const FAULTS = [
  ["a truncated model", MODEL, sends(bytes.subarray(0, 1000)), /only 1000 bytes/],
  ["one flipped bit in the model", MODEL, sends(flipped(bytes, 5000)), /SHA-256/],
  ["a connection broken midway in the model", MODEL, breaksMidway(bytes), /broke off after/],
  ["HTTP 500 for the model", MODEL, sends("", 500), /HTTP 500/],
  ["a truncated runtime", RUNTIME, sends(packed.subarray(0, 100_000)), /ONNX Runtime/],
  ["one flipped bit in the runtime", RUNTIME, sends(flipped(packed, 1e6)), /ONNX Runtime/],
  ["a connection broken midway in the runtime", RUNTIME, breaksMidway(packed), /broke off after/],
  ["HTTP 500 for the manifest", MANIFEST, sends("", 500), /HTTP 500/],
  ["half a manifest", MANIFEST, sends(half), /not JSON/],
];

describe("met once,", () => {
  const visitor = freshVisitor();
  for (const [name, address, fault] of FAULTS) {
    it(`${name} is mended by fetching it again`, async () => {
      const count = faulty(visitor.site, address, fault);
      const page = await visitor.browser.openReady("?ui=off");
      assert.ok(count() >= 2, "it was not fetched again"); // the service worker may ask once more
      await drawsAsTorch(page);
      await everythingKept(page);
      await forget(page);
    });
  }
});

describe("met again and again,", () => {
  const visitor = freshVisitor();
  for (const [name, address, fault, message] of FAULTS) {
    it(`${name} is said, and nothing bad is kept`, async () => {
      const count = faulty(visitor.site, address, fault, true);
      const page = await visitor.browser.open("?ui=off");
      const error = page.locator('#message[data-kind="error"]');
      await error.waitFor();
      const text = await error.innerText();
      assert.match(text, message);
      assert.match(text, /try again|serves the scene's folder/);
      assert.equal(count(), 2);
      const digests = digestsIn(await kept(page));
      if (address === MODEL) assert.ok(!digests.includes(model.sha256), "a bad model is kept");
      if (address === RUNTIME)
        assert.deepEqual(
          digests.filter((d) => d !== model.sha256),
          [],
        );
      await forget(page);
    });
  }

  it("and when the host is well again, so is the page", async () => {
    const page = await visitor.browser.openReady("?ui=off");
    await drawsAsTorch(page);
    await page.close();
  });
});

describe("a network that goes away during the first visit", () => {
  const visitor = freshVisitor();
  it("is said, as what it is", async () => {
    const asked = new Promise((resolve) => visitor.site.faults.set(MODEL, resolve)); // no answer
    const page = await visitor.browser.open("?ui=off");
    await asked;
    await visitor.site.close();
    const error = page.locator('#message[data-kind="error"]');
    await error.waitFor();
    assert.match(await error.innerText(), /(no answer|offline|broke off)[^]*try again/);
    await page.close();
  });
});

describe("a slow network", () => {
  const visitor = freshVisitor();
  it("shows how far it has come, in steps", async () => {
    visitor.site.faults.set(RUNTIME, (response) => {
      response.writeHead(200, { "Content-Length": packed.length });
      const step = Math.ceil(packed.length / 12);
      const send = (start) => {
        if (start >= packed.length) return response.end();
        response.write(packed.subarray(start, start + step));
        setTimeout(send, 100, start + step);
      };
      send(0);
    });
    const page = await visitor.browser.open("");
    const steps = [];
    const shown = () =>
      page.evaluate(() => [
        document.querySelector("#progress").getAttribute("aria-valuenow"),
        document.documentElement.dataset.state,
      ]);
    for (let state = "loading"; state === "loading";) {
      let value;
      [value, state] = await shown();
      if (value !== null && Number(value) !== steps.at(-1)) steps.push(Number(value));
      await page.waitForTimeout(20);
    }
    assert.ok(steps.length >= 6, `only ${steps}`);
    assert.deepEqual(
      steps,
      [...steps].sort((a, b) => a - b),
    );
    await ready(page);
    await page.close();
  });
});
