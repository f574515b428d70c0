import { createHash } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";

import { checkDigest, open, readExactly } from "../src/download";
import { Trouble } from "../src/trouble";

/** An answer in three pieces. */
function pieces(...sizes: number[]): Response {
  let value = 0;
  return new Response(
    new ReadableStream({
      start(controller) {
        for (const size of sizes) controller.enqueue(new Uint8Array(size).map(() => value++ % 251));
        controller.close();
      },
    }),
  );
}

afterEach(() => vi.unstubAllGlobals());

describe("readExactly", () => {
  it("puts the pieces together and reports each", async () => {
    const seen: number[] = [];
    const content = await readExactly(pieces(10, 300, 90), 400, "a file", (bytes) =>
      seen.push(bytes),
    );
    expect(Array.from(content)).toEqual(Array.from({ length: 400 }, (_, i) => i % 251));
    expect(seen).toEqual([10, 310, 400]);
  });

  it.each([
    [[10, 20], 31, /only 30 bytes/],
    [[10, 20], 29, /more than 29 bytes/],
    [[], 1, /only 0 bytes/],
  ])("%j bytes of %i are an error that says so", async (sizes, bytes, message) => {
    await expect(readExactly(pieces(...sizes), bytes, "the model a.onnx")).rejects.toThrow(message);
    await expect(readExactly(pieces(...sizes), bytes, "the model a.onnx")).rejects.toThrow(
      /the model a.onnx/,
    );
  });

  it("turns a broken connection into an error that says how far it came", async () => {
    const broken = new Response(
      new ReadableStream({
        pull(controller) {
          controller.error(new TypeError("network error"));
        },
      }),
    );
    await expect(readExactly(broken, 9, "a file")).rejects.toThrow(/broke after 0 bytes/);
  });
});

describe("checkDigest", () => {
  const content = new TextEncoder().encode("light field");
  const digest = createHash("sha256").update(content).digest("hex");

  it("accepts the right one, in either case", async () => {
    await checkDigest(content, digest, "a file");
    await checkDigest(content, digest.toUpperCase(), "a file");
  });

  it("refuses a single changed bit", async () => {
    const changed = content.slice();
    changed[3]! ^= 1;
    await expect(checkDigest(changed, digest, "the model a.onnx")).rejects.toThrow(Trouble);
  });

  it("is left out where the browser has no crypto.subtle", async () => {
    vi.stubGlobal("crypto", {});
    await expect(checkDigest(content, "0".repeat(64), "a file")).resolves.toBeUndefined();
  });
});

describe("open", () => {
  const url = new URL("http://host/scene/a.onnx");

  it("names the file and the status of an HTTP error", async () => {
    vi.stubGlobal("fetch", async () => new Response("", { status: 404, statusText: "Not Found" }));
    await expect(open(url, "the model a.onnx")).rejects.toThrow(
      "the model a.onnx: HTTP 404 Not Found for " + url.href,
    );
  });

  it("names the file where there is no answer", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(open(url, "the model a.onnx")).rejects.toThrow(/no answer from .*Failed to fetch/);
  });
});
