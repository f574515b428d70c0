/**
 * The stage: a picture of fixed proportions in the middle of the window.
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

export class Stage implements Surface {
  #canvas: HTMLCanvasElement | null = null;
  #size: Size;
  readonly #observer: ResizeObserver;

  /**
   * `picture` is the box; `resized` hears of every new size of the drawing surface. Without a
   * `label` it is a second picture of what another stage is named for, and cannot be focused.
   */
  constructor(
    private readonly picture: HTMLElement,
    private readonly manifest: Manifest,
    private readonly label: string | null,
    resized: (size: Size) => void,
  ) {
    const { width, height } = this.#model;
    picture.style.setProperty("--aspect", String(width / height));
    this.#size = surfaceSize(this.#box(), this.#model);
    this.#observer = new ResizeObserver(([entry]) => {
      const box = entry?.devicePixelContentBoxSize?.[0];
      const measured =
        box === undefined ? this.#box() : { width: box.inlineSize, height: box.blockSize };
      this.#size = surfaceSize(measured, this.#model);
      resized(this.#size);
    });
    observe(this.#observer, picture);
  }

  /** A new canvas in place of the last one, handed over for drawing. */
  renew(): { canvas: OffscreenCanvas; size: Size } {
    const canvas = document.createElement("canvas");
    if (this.label === null) canvas.setAttribute("aria-hidden", "true");
    else describe(canvas, this.label);
    const focused = document.activeElement === this.#canvas && this.#canvas !== null;
    if (this.#canvas === null) this.picture.prepend(canvas);
    else this.#canvas.replaceWith(canvas);
    this.#canvas = canvas;
    if (focused) canvas.focus();
    return { canvas: canvas.transferControlToOffscreen(), size: this.#size };
  }

  /** The picture's box is for others again. */
  close(): void {
    this.#observer.disconnect();
    this.#canvas?.remove();
  }

  get #model(): Size {
    return this.manifest.models[0]!; // a checked manifest has one; all have the same proportions
  }

  #box(): Size {
    const { width, height } = this.picture.getBoundingClientRect();
    return { width: width * devicePixelRatio, height: height * devicePixelRatio };
  }
}

function describe(canvas: HTMLCanvasElement, label: string): void {
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  canvas.setAttribute("aria-describedby", "hint");
}

/** Safari cannot observe device pixels. */
function observe(observer: ResizeObserver, element: Element): void {
  try {
    observer.observe(element, { box: "device-pixel-content-box" });
  } catch {
    observer.observe(element);
  }
}
