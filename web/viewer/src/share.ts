/**
 * A link to what is seen, and the code that puts it into another page.
 *
 *     the page's address, which holds the view -> link -> <iframe>
 */
import { element } from "./dom";
import { attachDialog } from "./popup";
import type { Size } from "./protocol";

const EMBEDDED_WIDTH = 640; // pixels
const REFUSED = "This page may not use the clipboard: the text is selected, copy it from there.";

/** `address` without what only concerns this visit. */
export function linkTo(address: URL): string {
  return withQuery(address, (query) => query.delete("embed"));
}

/** The address of the same view inside another page. */
export function embedded(address: URL): string {
  return withQuery(address, (query) => query.set("embed", ""));
}

function withQuery(address: URL, change: (query: URLSearchParams) => void): string {
  const url = new URL(address);
  change(url.searchParams);
  // "?embed" and "scene=a/b/" read better than "?embed=" and "scene=a%2Fb%2F", and mean the same.
  url.search = url.search.replace(/\bembed=(?=&|$)/, "embed").replaceAll("%2F", "/");
  return url.href;
}

/** An <iframe> with a picture of these proportions. */
export function embedCode(address: URL, title: string, { width, height }: Size): string {
  const high = Math.round((EMBEDDED_WIDTH * height) / width);
  return [
    `<iframe src="${escaped(embedded(address))}"`,
    ` title="${escaped(title)}" width="${EMBEDDED_WIDTH}" height="${high}"`,
    ` style="border: 0; max-width: 100%" loading="lazy" allow="fullscreen"></iframe>`,
  ].join("\n");
}

const ESCAPES: Record<string, string> = { "&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;" };

const escaped = (text: string): string => text.replace(/[&"<>]/g, (sign) => ESCAPES[sign]!);

/** What there is to share; null address: a scene from the visitor's own files. */
export interface Shared {
  readonly address: URL | null;
  readonly title: string;
  readonly size: Size;
}

/** The button and the dialogue; `shared` is asked whenever it opens. */
export function attachShare(shared: () => Shared | null): void {
  const dialog = element<HTMLDialogElement>("share-dialog");
  const link = element<HTMLInputElement>("share-link");
  const code = element<HTMLTextAreaElement>("share-embed");
  const status = element("share-status");
  attachDialog(dialog);
  element("share").addEventListener("click", () => {
    const found = shared();
    if (found === null) return;
    const { address, title, size } = found;
    element("share-fields").hidden = address === null;
    element("share-local").hidden = address !== null;
    link.value = address === null ? "" : linkTo(address);
    code.value = address === null ? "" : embedCode(address, title, size);
    status.textContent = "";
    attachNative(title, link.value);
    dialog.showModal();
  });
  const copies = { "share-link-copy": link, "share-embed-copy": code };
  for (const [id, field] of Object.entries(copies)) {
    element(id).addEventListener("click", async () => {
      status.textContent = (await copied(field.value)) ? "Copied." : REFUSED;
      field.focus();
      field.select();
    });
  }
}

/** Phones have a menu of their own for it. */
function attachNative(title: string, url: string): void {
  const button = element("share-native");
  button.hidden = url === "" || typeof navigator.share !== "function";
  button.onclick = () => void navigator.share({ title, url }).catch(() => {}); // may be cancelled
}

/** Whether `text` is on the clipboard now: pages inside others, and plain http, may not. */
export async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
