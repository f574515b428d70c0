/**
 * The page's side of the service worker.
 *
 *     isolate       before drawing, only with ?threads: reload once, through the worker's headers
 *     keepOffline   after the first frame: register it, and keep what this visit has loaded before it
 *                   was there
 */
import { isKeepable, isSceneFile, SCENES } from "./offline_rules";

const SCRIPT = "sw.js";
const TRIED = "pocketfield-isolating";
const PATIENCE = 10_000; // milliseconds until a worker must have installed

/** Register the service worker, so that the page opens without a network the next time. */
export async function keepOffline({ nocache }: { readonly nocache: boolean }): Promise<void> {
  if (nocache || !available()) return;
  try {
    const controlled = navigator.serviceWorker.controller !== null;
    await register();
    if (!controlled) await keepSceneFiles();
  } catch (error) {
    console.warn(`not kept for use without a network: ${String(error)}`);
  }
}

/** A development server has no service worker; plain http and some private windows allow none. */
const available = (): boolean => import.meta.env.PROD && "serviceWorker" in navigator;

const register = (): Promise<ServiceWorkerRegistration> =>
  navigator.serviceWorker.register(new URL(SCRIPT, document.baseURI), { updateViaCache: "none" });

/** The first visit's manifest and pictures came before there was a worker to keep them. */
async function keepSceneFiles(): Promise<void> {
  const cache = await caches.open(SCENES);
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  const folder = new URL(".", document.baseURI).href;
  await Promise.all(
    sceneFiles(loaded, folder).map(async (url) => {
      const response = await fetch(url, { cache: "force-cache" });
      if (isKeepable(response)) await cache.put(url, response);
    }),
  );
}

/** Of the addresses that were `loaded`, the small files of scenes in the page's `folder`. */
export function sceneFiles(loaded: readonly string[], folder: string): string[] {
  const addresses = loaded
    .filter((url) => url.startsWith(folder))
    .map((url) => url.split(/[?#]/)[0]!);
  return [...new Set(addresses)].filter(isSceneFile);
}

/**
 * With `threads`, make the page cross-origin isolated: a service worker adds the headers that the
 * host does not send, which takes one reload. Where that cannot be, `note` says so.
 */
export async function isolate(threads: number | null, note: (text: string) => void): Promise<void> {
  if (threads === null) return;
  if (globalThis.crossOriginIsolated) return void remember(null);
  const obstacle = await obstacleToIsolation();
  if (obstacle !== null) return note(`One thread only: ${obstacle}.`);
  location.reload();
  await new Promise(() => {}); // nothing more happens on this page
}

/** What keeps this page from being isolated by a reload; null: nothing. */
async function obstacleToIsolation(): Promise<string | null> {
  if (window.top !== window.self) return "the page that embeds this one would have to be isolated";
  if (!available()) return "this host sends no isolation headers, and no service worker can";
  if (remembered() === null) return "this browser keeps nothing for this page";
  if (remembered() === "yes") {
    remember(null);
    return "isolation did not succeed here";
  }
  const ready = register().then(() => navigator.serviceWorker.ready);
  const late = new Promise<null>((resolve) => setTimeout(resolve, PATIENCE, null));
  if ((await Promise.race([ready.catch(() => null), late])) === null) {
    return "the service worker did not start";
  }
  remember("yes");
  return null;
}

/** Was a reload tried in this tab? Null where nothing can be remembered: it would go on for ever. */
function remembered(): "yes" | "no" | null {
  try {
    return sessionStorage.getItem(TRIED) === null ? "no" : "yes";
  } catch {
    return null;
  }
}

function remember(value: "yes" | null): void {
  try {
    if (value === null) sessionStorage.removeItem(TRIED);
    else sessionStorage.setItem(TRIED, value);
  } catch {
    // `remembered` has said so before.
  }
}
