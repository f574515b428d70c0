/**
 * The stage: a picture of fixed proportions in the middle of the window, on the scene's background.
 *
 *     window -> largest box with the model's proportions -> canvas at the screen's own resolution
 */
import type { Manifest } from "./manifest";
import type { Size } from "./protocol";
import type { Surface } from "./viewer";

const LARGEST = 8192; // pixels: WebGPU's smallest guaranteed limit for a texture's side

/**
 * Size of the drawing surface for a box of `box` device pixels.
 *
 * Never smaller than the model's picture: shrinking that is left to the browser, which averages
 * pixels.
 */
export function surfaceSize(box: Size, model: Size): Size {
  const large = box.width >= model.width && box.height >= model.height;
  const fits = box.width <= LARGEST && box.height <= LARGEST;
  const { width, height } = large && fits ? box : model;
  return { width: Math.max(1, Math.round(width)), height: Math.max(1, Math.round(height)) };
}

/** Relative luminance of an sRGB colour, in [0, 1] (WCAG 2.2, "relative luminance"). */
export function luminance(rgb: readonly [number, number, number]): number {
  const [r, g, b] = rgb.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

export class Stage implements Surface {
  #canvas: HTMLCanvasElement | null = null;
  #size: Size;

  /** `picture` is the box; `resized` hears of every new size of the drawing surface. */
  constructor(
    private readonly picture: HTMLElement,
    private readonly manifest: Manifest,
    resized: (size: Size) => void,
  ) {
    const { width, height } = this.#model;
    picture.style.setProperty("--aspect", String(width / height));
    this.#size = surfaceSize(this.#box(), this.#model);
    const observer = new ResizeObserver(([entry]) => {
      const box = entry?.devicePixelContentBoxSize?.[0];
      const measured =
        box === undefined ? this.#box() : { width: box.inlineSize, height: box.blockSize };
      this.#size = surfaceSize(measured, this.#model);
      resized(this.#size);
    });
    observe(observer, picture);
    paintBackdrop(manifest.background);
  }

  /** A new canvas in place of the last one, handed over for drawing. */
  renew(): { canvas: OffscreenCanvas; size: Size } {
    const canvas = document.createElement("canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute(
      "aria-label",
      `${this.manifest.name}: a picture to look around in. Arrow keys turn it.`,
    );
    canvas.setAttribute("aria-describedby", "hint");
    const focused = document.activeElement === this.#canvas && this.#canvas !== null;
    if (this.#canvas === null) this.picture.prepend(canvas);
    else this.#canvas.replaceWith(canvas);
    this.#canvas = canvas;
    if (focused) canvas.focus();
    return { canvas: canvas.transferControlToOffscreen(), size: this.#size };
  }

  get #model(): Size {
    return this.manifest.models[0]!; // a checked manifest has one; all have the same proportions
  }

  #box(): Size {
    const { width, height } = this.picture.getBoundingClientRect();
    return { width: width * devicePixelRatio, height: height * devicePixelRatio };
  }
}

/** Safari cannot observe device pixels. */
function observe(observer: ResizeObserver, element: Element): void {
  try {
    observer.observe(element, { box: "device-pixel-content-box" });
  } catch {
    observer.observe(element);
  }
}

/**
 * The scene's background behind the picture, in the colour scheme that it fits; the other one keeps
 * the page's own.
 */
function paintBackdrop(rgb: readonly [number, number, number]): void {
  const scheme = luminance(rgb) > 0.4 ? "light" : "dark";
  const bytes = rgb.map((c) => Math.round(255 * c)).join(" ");
  document.documentElement.style.setProperty(`--backdrop-${scheme}`, `rgb(${bytes})`);
}
