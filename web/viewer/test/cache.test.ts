import { beforeEach, describe, expect, it } from "vitest";

import { FileCache, type Store } from "../src/cache";

const [OLD, NEW, SHARED] = ["a", "b", "c"].map((letter) => letter.repeat(64)) as [
  string,
  string,
  string,
];
const content = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** The browser's Cache, as far as it is used. */
class Memory implements Store {
  readonly kept = new Map<string, Response>();
  full = false;
  match = async (url: RequestInfo | URL): Promise<Response | undefined> =>
    this.kept.get(addressOf(url))?.clone();
  put = async (url: RequestInfo | URL, response: Response): Promise<void> => {
    if (this.full) throw new DOMException("no room", "QuotaExceededError");
    this.kept.set(addressOf(url), response);
  };
  delete = async (url: RequestInfo | URL): Promise<boolean> => this.kept.delete(addressOf(url));
  keys = async (): Promise<Request[]> => [...this.kept.keys()].map((url) => new Request(url));
}

const addressOf = (url: RequestInfo | URL): string =>
  url instanceof Request ? url.url : String(url);

let store: Memory;
let cache: FileCache;
beforeEach(() => {
  store = new Memory();
  cache = new FileCache(store, "https://host");
});

/** As the worker does for one scene. */
async function load(owner: string, digests: readonly string[]): Promise<void> {
  await cache.expect(owner, digests);
  for (const digest of digests) await cache.write(digest, content(digest));
  await cache.settle(owner, digests);
}

describe("a file cache", () => {
  it("gives back what was written, by its digest", async () => {
    expect(await cache.read(OLD)).toBeNull();
    expect(await cache.write(OLD, content("light field"))).toBe(true);
    expect(await cache.read(OLD)).toEqual(content("light field"));
  });

  it("forgets the files of an earlier export of the same scene", async () => {
    await load("https://host/fox/", [OLD, SHARED]);
    await load("https://host/fox/", [NEW, SHARED]);
    expect(await cache.read(OLD)).toBeNull();
    expect(await cache.read(NEW)).not.toBeNull();
    expect(await cache.read(SHARED)).not.toBeNull();
  });

  it("keeps what another scene still needs", async () => {
    await load("https://host/fox/", [SHARED]);
    await load("https://host/lego/", [SHARED]);
    await load("https://host/fox/", [NEW]);
    expect(await cache.read(SHARED)).not.toBeNull();
  });

  it("does not remove what another page is about to have", async () => {
    await cache.expect("https://host/lego/", [NEW]);
    await cache.write(NEW, content("new"));
    await load("https://host/fox/", [OLD]);
    expect(await cache.read(NEW)).not.toBeNull();
  });

  it("keeps the old files until the new ones are there", async () => {
    await load("https://host/fox/", [OLD]);
    await cache.expect("https://host/fox/", [NEW]);
    await load("https://host/lego/", [SHARED]);
    expect(await cache.read(OLD)).not.toBeNull();
  });

  it("without room does without", async () => {
    store.full = true;
    await load("https://host/fox/", [OLD]);
    expect(await cache.write(OLD, content("x"))).toBe(false);
    expect(await cache.read(OLD)).toBeNull();
  });
});
