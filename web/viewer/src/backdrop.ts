/**
 * What lies behind the transparent picture: pure choices, and their way onto the page.
 *
 *     #bg=white -> Backdrop -> colour, and the colour scheme in which text on it can be read
 *
 * "auto" is the scene's own colour in the scheme (light or dark) that it fits; in the other scheme
 * it is the page's.
 */
import type { Manifest } from "./manifest";

/** An sRGB colour in [0, 1]. */
export type Rgb = readonly [number, number, number];

export type Backdrop = "auto" | "scene" | "white" | "black" | "transparent" | `#${string}`;

const NAMES: readonly Backdrop[] = ["auto", "scene", "white", "black", "transparent"];

/** The backdrop that `text` (of the address) names; null where it names none. */
export function parseBackdrop(text: string): Backdrop | null {
  const named = NAMES.find((name) => name === text);
  if (named !== undefined) return named;
  const digits = /^#?([0-9a-f]{6})$/i.exec(text)?.[1];
  return digits === undefined ? null : `#${digits.toLowerCase()}`;
}

/** As it stands in the address; null: nothing need stand there. */
export function formatBackdrop(backdrop: Backdrop): string | null {
  return backdrop === "auto" ? null : backdrop.replace("#", "");
}

/** The colour of `backdrop` in a scene whose own is `scene`; null where it has not one colour. */
export function colourOf(backdrop: Backdrop, scene: Rgb): Rgb | null {
  switch (backdrop) {
    case "auto":
    case "transparent":
      return null;
    case "scene":
      return scene;
    case "white":
      return [1, 1, 1];
    case "black":
      return [0, 0, 0];
    default: {
      const value = parseInt(backdrop.slice(1), 16);
      return [(value >> 16) / 255, ((value >> 8) & 255) / 255, (value & 255) / 255];
    }
  }
}

/** "#ff8000" */
export function hexOf(rgb: Rgb): string {
  const byte = (c: number): string => Math.round(255 * c).toString(16);
  return `#${rgb.map((c) => byte(c).padStart(2, "0")).join("")}`;
}

/** Relative luminance of an sRGB colour, in [0, 1] (WCAG 2.2, "relative luminance"). */
export function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

// Where black and white text stand out equally: (L + 0.05)^2 = 1.05 * 0.05.
const BALANCE = Math.sqrt(1.05 * 0.05) - 0.05;
// The page's quieter text has 4.5:1 on luminances outside this range, its inks being what they are.
const MIDDLING: readonly [number, number] = [0.022, 0.72];

/** The colour scheme for text on `rgb`, and whether only plain black or white can be read there. */
export function inkOn(rgb: Rgb): { readonly scheme: "light" | "dark"; readonly plain: boolean } {
  const light = luminance(rgb);
  const plain = light > MIDDLING[0] && light < MIDDLING[1];
  return { scheme: light > BALANCE ? "light" : "dark", plain };
}

/** Put `backdrop` behind the picture of `manifest`'s scene. */
export function paint(backdrop: Backdrop, { background }: Manifest): void {
  const { style, dataset } = document.documentElement;
  const own = inkOn(background);
  for (const scheme of ["light", "dark"] as const) {
    if (scheme === own.scheme) style.setProperty(`--backdrop-${scheme}`, hexOf(background));
    else style.removeProperty(`--backdrop-${scheme}`);
  }
  const colour = colourOf(backdrop, background);
  dataset["backdrop"] = colour === null ? backdrop : "colour";
  delete dataset["scheme"];
  style.removeProperty("--backdrop");
  let ink = backdrop === "auto" && own.scheme === asked() ? own : null;
  if (colour !== null) {
    ink = inkOn(colour);
    style.setProperty("--backdrop", hexOf(colour));
    dataset["scheme"] = ink.scheme;
  }
  if (ink?.plain) dataset["ink"] = ink.scheme === "light" ? "black" : "white";
  else delete dataset["ink"];
  paintBrowser();
}

const DARK = "(prefers-color-scheme: dark)";

const asked = (): "light" | "dark" => (matchMedia(DARK).matches ? "dark" : "light");

/** Calls `changed` whenever the system goes from light to dark, or back. */
export function onSchemeChange(changed: () => void, signal: AbortSignal): void {
  matchMedia(DARK).addEventListener("change", changed, { signal });
}

/** The browser's own bars take the same colour. */
function paintBrowser(): void {
  const colour = getComputedStyle(document.documentElement).backgroundColor;
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]'))
    meta.content = colour;
}
