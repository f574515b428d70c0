/**
 * Fetching files whose content is known beforehand, with progress, and checking that they are what
 * was meant.
 *
 *     KnownFile -> kept in the browser (cache.ts)? -> fetch -> unpack -> length, SHA-256 -> keep
 *                                                       ^--- once more, past all caches, if any of it fails
 *
 * The length comes from the manifest (or from the build), not from Content-Length, which counts
 * compressed bytes where a host compresses, and is missing where it streams.
 */
import type { Content, FileCache } from "./cache";
import { Trouble } from "./trouble";

/** Called after each chunk with the bytes received so far. */
export type Progress = (received: number) => void;

/** A file whose content is known beforehand. */
export interface KnownFile {
  readonly url: URL;
  /** What errors call it. */
  readonly thing: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Bytes of the gzip file that lies on the host in its place; null where it lies there as it is. */
  readonly packed: number | null;
}

/** How to fetch. */
export interface Means {
  /** Null: nothing is kept in the browser. */
  readonly cache: FileCache | null;
  /** For the first attempt; the second always goes past all caches. */
  readonly mode: RequestCache;
}

const PAUSE = 400; // milliseconds before the second attempt: a host that is restarting
const AGAIN = "try again: reload the page";
const COPY = "if that does not help, copy the whole folder to the host again";

/** A failure that a second attempt would only repeat: the host has no such file. */
class Refused extends Trouble {}

/** How much is transferred for `file`. */
export const transferred = ({ packed, bytes }: KnownFile): number => packed ?? bytes;

/** Opens `url`; throws Trouble on a network failure or an HTTP error. */
export async function open(url: URL, thing: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, init).catch((error: unknown) => {
    throw new Trouble(thing, unanswered(url, error), "a file on the page's own host", CHECK);
  });
  if (response.ok) return response;
  const given = `HTTP ${response.status} ${response.statusText}`.trim() + ` for ${url.href}`;
  const expected = "a file on the page's own host";
  const { status } = response;
  if (status >= 500 || status === 408 || status === 429) {
    throw new Trouble(thing, given, expected, `${AGAIN} in a minute; the host has a problem`);
  }
  throw new Refused(thing, given, expected, "check that the whole folder was copied to the host");
}

const CHECK = `check the connection, then ${AGAIN}`;

function unanswered(url: URL, error: unknown): string {
  if (globalThis.navigator?.onLine === false)
    return `this device is offline, and ${url.href} was not kept from before`;
  return `no answer from ${url.href} (${error instanceof Error ? error.message : String(error)})`;
}

/**
 * `attempt`, and once more past all caches if it fails, unless the second attempt would only repeat
 * the failure.
 */
export async function twice<Value>(
  attempt: (mode: RequestCache) => Promise<Value>,
  mode: RequestCache,
): Promise<Value> {
  try {
    return await attempt(mode);
  } catch (error) {
    if (error instanceof Refused) throw error;
    console.warn(`fetching once more: ${String(error)}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    return attempt("reload");
  }
}

/** The content of `file`: kept from an earlier visit, or fetched, checked and then kept. */
export async function fetchFile(
  file: KnownFile,
  { cache, mode }: Means,
  progress: Progress = () => {},
): Promise<Content> {
  const kept = cache === null ? null : await readKept(file, cache);
  if (kept !== null) {
    progress(transferred(file));
    return kept;
  }
  const content = await twice(async (mode) => {
    progress(0);
    const response = await open(file.url, file.thing, { cache: mode });
    const content = await readUnpacked(response, file, progress);
    await checkDigest(content, file.sha256, file.thing);
    return content;
  }, mode);
  void cache?.write(file.sha256, content);
  return content;
}

/** All of `files`, side by side; `progress` hears what of `total` bytes has arrived. */
export async function fetchFiles(
  files: readonly KnownFile[],
  means: Means,
  progress: (received: number, total: number) => void,
): Promise<Content[]> {
  const total = files.reduce((sum, file) => sum + transferred(file), 0);
  const received = files.map(() => 0);
  return Promise.all(
    files.map((file, i) =>
      fetchFile(file, means, (count) => {
        received[i] = count;
        progress(
          received.reduce((a, b) => a + b),
          total,
        );
      }),
    ),
  );
}

async function readKept(file: KnownFile, cache: FileCache): Promise<Content | null> {
  const content = await cache.read(file.sha256);
  if (content === null) return null;
  try {
    await checkDigest(content, file.sha256, file.thing);
    return content;
  } catch {
    await cache.remove(file.sha256);
    return null;
  }
}

/**
 * Reads `response` into the content of `file`.
 *
 * A host may send a gzip file with `Content-Encoding: gzip`, and the browser has then unpacked it
 * already: the first two bytes tell.
 */
async function readUnpacked(
  response: Response,
  file: KnownFile,
  progress: Progress,
): Promise<Content> {
  const { packed, bytes, thing } = file;
  if (packed === null || response.body === null) {
    return readExactly(response, bytes, thing, progress);
  }
  const [first, body] = await peek(response.body);
  if (first[0] !== 0x1f || first[1] !== 0x8b) {
    const scaled: Progress = (count) => progress(Math.round((count * packed) / bytes));
    return readExactly(new Response(body), bytes, thing, scaled);
  }
  const unpacked = body
    .pipeThrough(counting(progress))
    .pipeThrough(new DecompressionStream("gzip"));
  return readExactly(new Response(unpacked), bytes, thing);
}

/** The first bytes (two of them, if there are so many) of `body`, and all of it. */
async function peek(body: ReadableStream<Content>): Promise<[Content, ReadableStream<Content>]> {
  const reader = body.getReader();
  let first: Content = new Uint8Array(0);
  let ended = false;
  while (first.length < 2 && !ended) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    ended = done;
    if (value !== undefined) first = joined(first, value);
  }
  const whole = new ReadableStream<Content>({
    start: (controller) => controller.enqueue(first),
    async pull(controller) {
      const { done, value } = await reader.read();
      if (value !== undefined) controller.enqueue(value);
      if (done) controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return [first, whole];
}

function joined(a: Content, b: Content): Content {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function counting(progress: Progress): TransformStream<Content, Content> {
  let received = 0;
  return new TransformStream({
    transform(chunk, controller) {
      received += chunk.length;
      progress(received);
      controller.enqueue(chunk);
    },
  });
}

/**
 * Reads `response` into one buffer of exactly `bytes` bytes; throws Trouble if there are more or
 * fewer.
 */
export async function readExactly(
  response: Response,
  bytes: number,
  thing: string,
  progress: Progress = () => {},
): Promise<Content> {
  const content = new Uint8Array(bytes);
  let received = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const chunk = await reader?.read().catch((error: unknown) => {
      throw wrongLength(thing, `it broke off after ${received} bytes (${String(error)})`, bytes);
    });
    if (chunk === undefined || chunk.done) break;
    if (received + chunk.value.length > bytes) {
      await reader?.cancel();
      throw wrongLength(thing, `more than ${bytes} bytes`, bytes);
    }
    content.set(chunk.value, received);
    received += chunk.value.length;
    progress(received);
  }
  if (received < bytes) throw wrongLength(thing, `only ${received} bytes`, bytes);
  return content;
}

function wrongLength(thing: string, given: string, bytes: number): Trouble {
  return new Trouble(thing, given, `${bytes} bytes`, `${AGAIN}; ${COPY}`);
}

/**
 * Throws Trouble unless `content` has this SHA-256 (hexadecimal).
 *
 * Browsers offer `crypto.subtle` only in secure contexts (https and localhost). On plain http from
 * another machine the check is left out: `readExactly` has compared the length, and without https a
 * digest proves nothing anyway.
 */
export async function checkDigest(
  content: Content,
  sha256: string,
  thing: string,
  subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle,
): Promise<void> {
  if (subtle === undefined) return;
  const digest = new Uint8Array(await subtle.digest("SHA-256", content));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found === sha256.toLowerCase()) return;
  throw new Trouble(
    thing,
    `SHA-256 ${found.slice(0, 12)}…`,
    `${sha256.slice(0, 12)}…, as was written down when it was made`,
    `${AGAIN}; ${COPY}`,
  );
}
