/**
 * Files kept in the browser by their content, so that the second visit downloads none of them.
 *
 *     SHA-256 -> content
 *     owner (a scene's folder, the page's) -> the digests that it needs now
 *
 * What no owner needs any more is removed. Everything here may fail (no room, private windows,
 * plain http has no Cache API at all), and then the page does without.
 */

/** The version is part of the name: another layout gets another name. */
const NAME = "pocketfield-files-1";
const CONTENT = "/.pocketfield/content/";
const OWNER = "/.pocketfield/owner/?";

export type Content = Uint8Array<ArrayBuffer>;

/** What is used here of the browser's `Cache`. */
export type Store = Pick<Cache, "match" | "put" | "delete" | "keys">;

/** The browser's cache; null where there is none. */
export async function openFileCache(): Promise<FileCache | null> {
  try {
    return new FileCache(await caches.open(NAME), self.location.origin);
  } catch {
    return null;
  }
}

export class FileCache {
  constructor(
    private readonly store: Store,
    private readonly origin: string,
  ) {}

  /** The content with this digest; null where it is not kept. */
  async read(sha256: string): Promise<Content | null> {
    try {
      const found = await this.store.match(this.#content(sha256));
      return found === undefined ? null : new Uint8Array(await found.arrayBuffer());
    } catch {
      return null;
    }
  }

  /** Keep `content`; whether there was room. */
  async write(sha256: string, content: Content): Promise<boolean> {
    try {
      const headers = { "Content-Type": "application/octet-stream" };
      await this.store.put(this.#content(sha256), new Response(content, { headers }));
      return true;
    } catch {
      return false;
    }
  }

  /** Forget this content: it is not what was kept. */
  async remove(sha256: string): Promise<void> {
    await this.store.delete(this.#content(sha256)).catch(() => false);
  }

  /** `owner` is about to get these, and still has what it had: none of both is removed meanwhile. */
  async expect(owner: string, digests: readonly string[]): Promise<void> {
    const before = await this.#neededBy(this.#owner(owner)).catch(() => []);
    await this.#note(owner, [...new Set([...before, ...digests])]).catch(() => {});
  }

  /** `owner` needs only these from now on; removes what nobody needs. */
  async settle(owner: string, digests: readonly string[]): Promise<void> {
    try {
      await this.#note(owner, digests);
      const keys = await this.store.keys();
      const owners = keys.filter(({ url }) => url.startsWith(this.origin + OWNER));
      const needed = await Promise.all(owners.map(({ url }) => this.#neededBy(url)));
      const kept = new Set(needed.flat().map((digest) => this.#content(digest)));
      const unused = keys.filter(
        ({ url }) => url.startsWith(this.origin + CONTENT) && !kept.has(url),
      );
      await Promise.all(unused.map((request) => this.store.delete(request)));
    } catch {
      // The next visit tries again.
    }
  }

  #content(sha256: string): string {
    return this.origin + CONTENT + sha256;
  }

  #owner(name: string): string {
    return this.origin + OWNER + encodeURIComponent(name);
  }

  async #note(owner: string, digests: readonly string[]): Promise<void> {
    await this.store.put(this.#owner(owner), new Response(JSON.stringify(digests)));
  }

  async #neededBy(address: string): Promise<string[]> {
    const found = await this.store.match(address);
    return found === undefined ? [] : ((await found.json()) as string[]);
  }
}
