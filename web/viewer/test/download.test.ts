import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";

import type { Content, FileCache } from "../src/cache";
import {
  checkDigest,
  fetchFile,
  fetchFiles,
  type KnownFile,
  open,
  readExactly,
} from "../src/download";
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
    await expect(readExactly(broken, 9, "a file")).rejects.toThrow(/broke off after 0 bytes/);
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

describe("fetchFile", () => {
  const content = new Uint8Array(5000).map((_, i) => (i * i) % 251);
  const packed = Uint8Array.from(gzipSync(content));
  const file: KnownFile = {
    url: new URL("http://host/a.onnx"),
    thing: "the model a.onnx",
    bytes: content.length,
    sha256: createHash("sha256").update(content).digest("hex"),
    packed: null,
  };
  const gzipped = { ...file, packed: packed.length };
  const flipped = content.slice();
  flipped[4321]! ^= 4;

  /** Answers to the first attempt, the second, ...; the cache modes that were asked with. */
  function answers(...bodies: (BodyInit | Error | number)[]): (RequestCache | undefined)[] {
    const modes: (RequestCache | undefined)[] = [];
    vi.stubGlobal("fetch", async (_: URL, init?: RequestInit) => {
      modes.push(init?.cache);
      const body = bodies.shift();
      if (body === undefined) throw new Error("asked too often");
      if (body instanceof Error) throw body;
      return typeof body === "number" ? new Response("", { status: body }) : new Response(body);
    });
    vi.spyOn(console, "warn").mockImplementation(() => {});
    vi.stubGlobal("setTimeout", (work: () => void) => work()); // no pause between attempts
    return modes;
  }
  const bare = { cache: null, mode: "default" } as const;

  it("unpacks what lies gzipped on the host, and counts what is transferred", async () => {
    answers(packed);
    const seen: number[] = [];
    expect(await fetchFile(gzipped, bare, (count) => seen.push(count))).toEqual(content);
    expect(seen.at(-1)).toBe(packed.length);
  });

  it("takes it as well where the host has had the browser unpack it, on the same scale", async () => {
    answers(content);
    const seen: number[] = [];
    expect(await fetchFile(gzipped, bare, (count) => seen.push(count))).toEqual(content);
    expect(seen.at(-1)).toBe(packed.length);
  });

  it.each([
    ["is cut short", content.subarray(0, 100)],
    ["has one wrong bit", flipped],
    ["does not come", new TypeError("Failed to fetch")],
    ["is refused by a host that is restarting", 503],
  ])("fetches once more, past all caches, what %s", async (_, fault) => {
    const modes = answers(fault, content);
    expect(await fetchFile(file, bare)).toEqual(content);
    expect(modes).toEqual(["default", "reload"]);
  });

  it.each([
    ["is cut short", packed.subarray(0, 100)],
    ["has a wrong bit", packed.map((byte, i) => (i === 60 ? byte ^ 1 : byte))],
    ["is another file", Uint8Array.from(gzipSync(flipped))],
  ])("fetches once more what %s inside its gzip file", async (_, fault) => {
    answers(fault, packed);
    expect(await fetchFile(gzipped, bare)).toEqual(content);
  });

  it("gives up after the second attempt, and says that it may be tried again", async () => {
    const modes = answers(flipped, flipped);
    const failed = await fetchFile(file, bare).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(Trouble);
    expect((failed as Trouble).remedy).toMatch(/try again/);
    expect(modes.length).toBe(2);
  });

  it("asks once for a file that is not there", async () => {
    const modes = answers(404);
    await expect(fetchFile(file, bare)).rejects.toThrow(/404/);
    expect(modes.length).toBe(1);
  });

  /** A cache with `kept` in it. */
  function cacheWith(kept: Content | null) {
    const written: Content[] = [];
    const cache = {
      read: async () => kept,
      write: async (_: string, content: Content) => written.push(content) > 0,
      remove: vi.fn(),
    } as unknown as FileCache;
    return { written, cache };
  }

  it("keeps a good file, and fetches nothing the next time", async () => {
    answers(content);
    const first = cacheWith(null);
    await fetchFile(file, { ...bare, cache: first.cache });
    expect(first.written).toEqual([content]);
    const modes = answers();
    const second = cacheWith(content);
    expect(await fetchFile(file, { ...bare, cache: second.cache })).toEqual(content);
    expect(modes).toEqual([]);
  });

  it("never keeps a bad file", async () => {
    answers(flipped, flipped);
    const { written, cache } = cacheWith(null);
    await expect(fetchFile(file, { ...bare, cache })).rejects.toThrow();
    expect(written).toEqual([]);
  });

  it.each([
    ["has changed", flipped],
    ["has another length", content.subarray(1)],
  ])("fetches anew a kept file that %s", async (_, kept) => {
    answers(content);
    const { written, cache } = cacheWith(kept);
    expect(await fetchFile(file, { ...bare, cache })).toEqual(content);
    expect(cache.remove).toHaveBeenCalledWith(file.sha256);
    expect(written.length).toBe(1);
  });

  it("adds up what several files have received", async () => {
    answers(packed, packed);
    const seen: [number, number][] = [];
    await fetchFiles([gzipped, gzipped], bare, (...progress) => seen.push(progress));
    expect(seen.at(-1)).toEqual([2 * packed.length, 2 * packed.length]);
  });
});
