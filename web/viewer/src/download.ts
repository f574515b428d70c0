/**
 * Fetching files whose length is known beforehand, with progress, and checking that they are what
 * was meant.
 *
 * The length comes from the manifest (or from the build), not from Content-Length, which counts
 * compressed bytes where a host compresses, and is missing where it streams.
 */
import { Trouble } from "./trouble";

/** Called after each chunk with the bytes received so far. */
export type Progress = (received: number) => void;

/** Opens `url`; throws Trouble on a network failure or an HTTP error. */
export async function open(url: URL, thing: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, init).catch((error: unknown) => {
    throw new Trouble(
      thing,
      `no answer from ${url.href} (${error instanceof Error ? error.message : String(error)})`,
      "a file on the page's own host",
      "check the connection and reload the page",
    );
  });
  if (response.ok) return response;
  throw new Trouble(
    thing,
    `HTTP ${response.status} ${response.statusText}`.trim() + ` for ${url.href}`,
    "a file on the page's own host",
    "check that the whole folder was copied to the host",
  );
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
): Promise<Uint8Array<ArrayBuffer>> {
  const content = new Uint8Array(bytes);
  let received = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const chunk = await reader?.read().catch((error: unknown) => {
      throw wrongLength(
        thing,
        `the connection broke after ${received} bytes (${String(error)})`,
        bytes,
      );
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
  return new Trouble(
    thing,
    given,
    `${bytes} bytes`,
    "copy the whole folder to the host again, then reload the page",
  );
}

/**
 * Throws Trouble unless `content` has this SHA-256 (hexadecimal).
 *
 * Browsers offer `crypto.subtle` only in secure contexts (https and localhost). On plain http from
 * another machine the check is left out: `readExactly` has compared the length, and without https a
 * digest proves nothing anyway.
 */
export async function checkDigest(
  content: Uint8Array<ArrayBuffer>,
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
    `${sha256.slice(0, 12)}…, as its manifest says`,
    "copy the whole folder to the host again, then reload the page",
  );
}
