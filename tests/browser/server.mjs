/**
 * A plain static server, as any host's: no special headers, some folders under a path prefix.
 *
 * `faults` replaces what single addresses answer, for the tests of the page's errors; `host` is how
 * the host behaves, which tests may change while it runs.
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".gz": "application/gzip",
  ".svg": "image/svg+xml",
  ".png": "image/png",
};

/**
 * Serve `mounts`, a list of [prefix ending in a slash, folder], longest prefix first.
 *
 * Returns { origin, mounts, faults, host, close }; `faults` maps a path to
 * `(response, answer) => void`, where `answer()` answers as if there were no fault.
 * `host.encodesGzip` sends .gz files with `Content-Encoding: gzip`, as some hosts do;
 * `host.headers` are added to every answer.
 */
export async function serve(mounts) {
  const faults = new Map();
  const host = { encodesGzip: false, headers: {} };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://host");
    const answer = () => {
      const mount = mounts.find(([prefix]) => pathname.startsWith(prefix));
      if (mount === undefined) return refuse(response);
      const [prefix, folder] = mount;
      const file = path.join(
        folder,
        decodeURIComponent(pathname.slice(prefix.length)) || "index.html",
      );
      void send(file, response, host);
    };
    const fault = faults.get(pathname);
    if (fault === undefined) answer();
    else fault(response, answer);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const origin = `http://127.0.0.1:${port}`;
  const close = () => {
    server.closeAllConnections();
    return new Promise((closed) => server.close(closed));
  };
  return { origin, mounts, faults, host, close };
}

async function send(file, response, { encodesGzip, headers }) {
  const found = await stat(file).catch(() => null);
  if (found === null || !found.isFile()) return refuse(response);
  const type = TYPES[path.extname(file)] ?? "application/octet-stream";
  response.writeHead(200, {
    "Content-Type": type,
    "Content-Length": found.size,
    "Cache-Control": "no-store",
    ...(encodesGzip && file.endsWith(".gz") ? { "Content-Encoding": "gzip" } : {}),
    ...headers,
  });
  createReadStream(file).pipe(response);
}

function refuse(response) {
  response.writeHead(404, { "Content-Type": "text/plain" });
  response.end("not found");
}
