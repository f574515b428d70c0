/**
 * Pictures from their addresses to the canvas: fetched once, decoded before they are due.
 *
 *     address --fetch--> file (kept while any pane may show it) --decode--> bitmap (the last used ones are kept)
 */
/** @import { Size } from "./view.mjs" */

const BUDGET = 256 * 2 ** 20; // bytes of decoded pictures

/** @typedef {{ readonly bitmap: ImageBitmap, pixels: ImageData | null }} Picture */

export class Pictures {
  /** @type {Map<string, Promise<Blob | null>>} */
  #files = new Map();
  /** @type {Map<string, Promise<Picture | null>>} in the order of their last use */
  #decoding = new Map();
  /** @type {Map<string, Picture | null>} null: there is none to be had */
  #decoded = new Map();
  #bytes = 0;

  /** The picture, if it is decoded; null where it is not, or cannot be.
   * @param {string | undefined} address */
  at(address) {
    return (address !== undefined && this.#decoded.get(address)) || null;
  }

  /** Can it be shown, or is it known that it cannot?
   * @param {string | undefined} address */
  isSettled(address) {
    return address === undefined || this.#decoded.has(address);
  }

  /** Was it asked for in vain?
   * @param {string | undefined} address */
  isMissing(address) {
    return address !== undefined && this.#decoded.get(address) === null;
  }

  /** These will be shown soon: fetch and decode them.
   * @param {readonly string[]} addresses */
  async want(addresses) {
    await Promise.all(addresses.map((address) => this.#decode(address)));
    this.#forget(new Set(addresses));
  }

  /** These may be shown some day: fetch them, as the server may drop them; drop all others.
   * @param {ReadonlySet<string>} addresses */
  keep(addresses) {
    for (const address of addresses) void this.#file(address);
    for (const address of [...this.#files.keys()]) {
      if (addresses.has(address)) continue;
      this.#files.delete(address);
      this.#drop(address);
    }
  }

  /**
   * Red, green, blue and alpha of a pixel, 0 to 255; null where there is none.
   * @param {string | undefined} address
   * @param {{ x: number, y: number }} at
   */
  pixel(address, { x, y }) {
    const picture = this.at(address);
    if (picture === null) return null;
    picture.pixels ??= pixelsOf(picture.bitmap);
    const { data, width } = picture.pixels;
    return [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)];
  }

  close() {
    this.keep(new Set());
  }

  /** @param {string} address */
  #file(address) {
    const found = this.#files.get(address) ?? fetched(address);
    this.#files.set(address, found);
    return found;
  }

  /** @param {string} address */
  #decode(address) {
    const found = this.#decoding.get(address) ?? this.#file(address).then(decoded);
    this.#decoding.delete(address);
    this.#decoding.set(address, found);
    return found.then((picture) => {
      if (this.#decoding.get(address) !== found || this.#decoded.has(address)) return;
      this.#decoded.set(address, picture);
      this.#bytes += bytesOf(picture);
    });
  }

  /** Make room, but not of what is wanted now.
   * @param {ReadonlySet<string>} wanted */
  #forget(wanted) {
    for (const address of [...this.#decoding.keys()]) {
      if (this.#bytes <= BUDGET) return;
      if (!wanted.has(address)) this.#drop(address);
    }
  }

  /** @param {string} address */
  #drop(address) {
    const picture = this.#decoded.get(address) ?? null;
    this.#bytes -= bytesOf(picture);
    picture?.bitmap.close();
    this.#decoded.delete(address);
    this.#decoding.delete(address);
  }
}

/** @param {string} address */
async function fetched(address) {
  const response = await fetch(absolute(address)).catch(() => null);
  return response?.ok ? response.blob() : null;
}

/** @param {Blob | null} file @returns {Promise<Picture | null>} */
async function decoded(file) {
  if (file === null) return null;
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => null);
  return bitmap === null ? null : { bitmap, pixels: null };
}

/** @param {Picture | null} picture */
const bytesOf = (picture) =>
  picture === null ? 0 : 4 * picture.bitmap.width * picture.bitmap.height;

/** @param {ImageBitmap} bitmap */
function pixelsOf(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/** Streamlit's addresses begin at its own root, which may be below the host's.
 * @param {string} address */
function absolute(address) {
  const script = document.querySelector('script[src*="/static/js/"], script[src^="./static/js/"]');
  const own = script instanceof HTMLScriptElement ? script.src.split("/static/js/")[0] : "";
  return `${own}${address}`;
}

/** @type {(bitmap: ImageBitmap | undefined) => Size} */
export const sizeOf = (bitmap) => ({ width: bitmap?.width ?? 0, height: bitmap?.height ?? 0 });
