/**
 * Several scenes on one host: scenes/index.json, and the page that shows them.
 *
 *     scenes/index.json -> scenes -> cards that lead to ?scene=scenes/lego/
 */
import { element, made } from "./dom";
import { open } from "./download";
import { type GalleryScene, SCHEMA } from "./gallery_index";
import { decibelsText } from "./info";
import { within } from "./scene";
import { Trouble } from "./trouble";

const INDEX = "scenes/index.json";
/** Fetch and check the gallery beside `page`; null where there is none. */
export async function loadGallery(page: URL): Promise<readonly GalleryScene[] | null> {
  const url = new URL(INDEX, page);
  const response = await open(url, INDEX, { cache: "no-cache" }).catch(() => null);
  return response === null ? null : parseGallery(await response.text());
}

/**
 * The entries in `text`, null where it is no JSON (a page that a host serves in a missing file's
 * place); throws Trouble where it is not a gallery that this page reads.
 */
export function parseGallery(text: string): readonly GalleryScene[] | null {
  const value = parsed(text) as { schema?: unknown; scenes?: unknown } | null;
  if (value === null) return null;
  const { schema, scenes } = value;
  if (schema === SCHEMA && Array.isArray(scenes) && scenes.length > 0 && scenes.every(isEntry))
    return scenes;
  throw new Trouble(
    INDEX,
    schema === SCHEMA ? "no usable list of scenes" : `schema ${JSON.stringify(schema)}`,
    `scenes with name, path and poster, in schema ${SCHEMA}`,
    "write the site again with `python -m export site`",
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function isEntry(value: unknown): value is GalleryScene {
  if (typeof value !== "object" || value === null) return false;
  const { name, path, poster, megabytes, psnr } = value as Record<string, unknown>;
  return (
    [name, path, poster].every((text) => typeof text === "string") &&
    Number.isFinite(megabytes) &&
    (psnr === null || Number.isFinite(psnr))
  );
}

/** "7.9 MB · 31.2 dB" */
export function entryText({ megabytes, psnr }: GalleryScene): string {
  const size = `${megabytes.toFixed(1)} MB`;
  return psnr === null ? size : `${size} · ${decibelsText(psnr)}`;
}

/** Where a card leads: everything else that the address asks for stays. */
export function linkOf({ path }: GalleryScene, page: URL): string {
  const url = new URL(page);
  url.searchParams.set("scene", path);
  url.hash = "";
  return url.search.replaceAll("%2F", "/");
}

/** The way back from a scene to `page`'s gallery. */
export function linkBack(page: URL): string {
  const url = new URL(page);
  for (const name of ["scene", "pose", "reference", "compare", "path"])
    url.searchParams.delete(name);
  return url.search === "" ? url.pathname : url.search;
}

/** Show `entries` in place of a scene. */
export function showGallery(entries: readonly GalleryScene[], page: URL): void {
  document.documentElement.dataset["state"] = "gallery";
  document.title = "Scenes · Pocketfield";
  element("name").textContent = "Scenes to look around in";
  const list = element("gallery");
  list.hidden = false;
  list.replaceChildren(...entries.map((entry) => made("li", [cardOf(entry, page)])));
}

function cardOf(entry: GalleryScene, page: URL): HTMLAnchorElement {
  const poster = within(entry.poster, page, INDEX).href;
  const picture = made("img", "", { src: poster, alt: "", loading: "lazy", decoding: "async" });
  const text = [made("b", entry.name), made("small", entryText(entry))];
  return made("a", [picture, ...text], { href: linkOf(entry, page) });
}
