/**
 * What the service worker answers, and from where: pure rules, shared with the page (offline.ts).
 *
 *     page     navigation to the page itself     network first, else the kept page
 *     shell    the page's own small files        kept; their names change with their content
 *     scene    manifests, indices, pictures      network first, else the kept copy
 *     null     all else: models and ONNX Runtime are kept by their content (cache.ts)
 */
export type Route = "page" | "shell" | "scene" | null;

/** Manifests, pictures and the gallery's index of every scene. */
export const SCENES = "pocketfield-scenes-1";

/** The cache of one build of the page in `scope`: several pages may share a host. */
export const shellName = (scope: string, build: string): string => `${shellPrefix(scope)}${build}`;
export const shellPrefix = (scope: string): string => `pocketfield-shell|${scope}|`;

/** The part of a request that decides. */
export type Asked = Pick<Request, "method" | "mode" | "url">;

/** How to answer; `shell` holds addresses without query. */
export function routeOf(asked: Asked, scope: string, shell: ReadonlySet<string>): Route {
  if (asked.method !== "GET" || !asked.url.startsWith(scope)) return null;
  const { origin, pathname } = new URL(asked.url);
  const address = origin + pathname;
  if (asked.mode === "navigate") {
    return address === scope || address === `${scope}index.html` ? "page" : null;
  }
  if (shell.has(address)) return "shell";
  return isSceneFile(address) ? "scene" : null;
}

/** One of the small files of a scene or of the gallery, or a camera path. */
export const isSceneFile = (address: string): boolean =>
  /\/(manifest|index|paths\/[^/]+)\.json$|\.png$/.test(address);

/** May this answer be kept? Failures, redirects and other hosts' answers may not. */
export const isKeepable = ({ ok, status, type, redirected }: Response): boolean =>
  ok && status === 200 && type === "basic" && !redirected;

/** `response` as one that cross-origin isolates its page. */
export function isolated(response: Response): Response {
  const { status, statusText } = response;
  if (status === 0 || response.type === "opaqueredirect") return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  const body = status === 204 || status === 304 ? null : response.body;
  return new Response(body, { status, statusText, headers });
}
