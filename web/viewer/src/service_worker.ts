/**
 * The service worker: opens the page without a network, and isolates it where `?threads` asks.
 *
 *     install   keeps this build's page and its small files, all of them or none
 *     activate  forgets older builds but the one before, whose open pages may still load a part
 *     fetch     offline_rules.ts says which requests it answers; others it does not touch
 *
 * The page itself is asked for on the network first: a new build shows at once, and never meets a
 * manifest that is newer than it. vite.offline.ts builds this file, and fills in the two constants.
 */
import { isKeepable, isolated, routeOf, SCENES, shellName, shellPrefix } from "./offline_rules";

declare const __SHELL__: readonly string[];
declare const __BUILD__: string;

/** TypeScript keeps the types of service workers apart from those of pages; these are used here. */
interface Lasting extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Lasting {
  readonly request: Request;
  readonly clientId: string;
  respondWith(answer: Promise<Response>): void;
}
interface Scope {
  readonly registration: { readonly scope: string };
  readonly clients: {
    claim(): Promise<void>;
    get(id: string): Promise<{ readonly url: string } | undefined>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(kind: "install" | "activate", listener: (event: Lasting) => void): void;
  addEventListener(kind: "fetch", listener: (event: Fetching) => void): void;
}

const PATIENCE = 4000; // milliseconds for the network, where there is a kept copy

const self_ = self as unknown as Scope;
const { scope } = self_.registration;
const shell = new Set(__SHELL__.map((path) => new URL(path, scope).href));
const current = shellName(scope, __BUILD__);

self_.addEventListener("install", (event) => event.waitUntil(install()));
self_.addEventListener("activate", (event) => event.waitUntil(activate()));
self_.addEventListener("fetch", (event) => {
  const route = routeOf(event.request, scope, shell);
  if (route === "page") event.respondWith(page(event));
  if (route === "shell") event.respondWith(shellFile(event));
  if (route === "scene") event.respondWith(sceneFile(event));
});

async function install(): Promise<void> {
  const cache = await caches.open(current);
  const keep = async (url: string): Promise<void> => {
    // Names that change with their content may come from the browser's own cache.
    const response = await fetch(url, { cache: url === scope ? "no-cache" : "default" });
    if (!isKeepable(response)) throw new Error(`HTTP ${response.status} for ${url}`);
    // Read at once: answers that wait for each other would hold all connections, for ever.
    await cache.put(url, response);
  };
  try {
    await Promise.all(Array.from(shell, keep));
  } catch (error) {
    await caches.delete(current);
    throw error;
  }
  await self_.skipWaiting();
}

async function activate(): Promise<void> {
  const older = (await shells()).filter((name) => name !== current);
  await Promise.all(older.slice(0, -1).map((name) => caches.delete(name)));
  await self_.clients.claim();
}

/** The caches of this page's builds, oldest first. */
async function shells(): Promise<string[]> {
  return (await caches.keys()).filter((name) => name.startsWith(shellPrefix(scope)));
}

async function page(event: Fetching): Promise<Response> {
  const query = new URL(event.request.url).searchParams;
  const kept = query.has("nocache") ? undefined : await inShell(scope);
  const response = await networkFirst(fetch(event.request), kept);
  return query.has("threads") ? isolated(response) : response;
}

async function shellFile({ request, clientId }: Fetching): Promise<Response> {
  const { origin, pathname } = new URL(request.url);
  const kept = (await bypasses(clientId)) ? undefined : await inShell(origin + pathname);
  const response = kept ?? (await fetch(request));
  // The workers of an isolated page must be isolated too; elsewhere this changes nothing.
  return request.destination === "worker" ? isolated(response) : response;
}

async function sceneFile(event: Fetching): Promise<Response> {
  if (await bypasses(event.clientId)) return fetch(event.request);
  const { origin, pathname } = new URL(event.request.url);
  const cache = await caches.open(SCENES);
  const kept = await cache.match(origin + pathname);
  const fetched = fetch(event.request);
  const keep = fetched.then((response) =>
    isKeepable(response) ? cache.put(origin + pathname, response.clone()) : undefined,
  );
  event.waitUntil(keep.catch(() => {})); // no network, or no room
  return networkFirst(fetched, kept);
}

/** Was the page that asks opened with `?nocache`? */
async function bypasses(clientId: string): Promise<boolean> {
  const client = clientId === "" ? undefined : await self_.clients.get(clientId);
  return client !== undefined && new URL(client.url).searchParams.has("nocache");
}

async function inShell(url: string): Promise<Response | undefined> {
  for (const name of [current, ...(await shells()).reverse()]) {
    // Not `caches.open`: that would bring back, empty, what a newer build has just forgotten.
    const found = await caches.match(url, { cacheName: name });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What the network answers; `kept` where it does not, or fails, or takes too long. */
async function networkFirst(
  fetched: Promise<Response>,
  kept: Response | undefined,
): Promise<Response> {
  if (kept === undefined) return fetched;
  const late = new Promise<Response>((resolve) => setTimeout(resolve, PATIENCE, kept));
  const answer = fetched.then(
    (response) => (response.status >= 500 ? kept : response),
    () => kept,
  );
  return Promise.race([answer, late]);
}
