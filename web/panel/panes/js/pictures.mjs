/**
 * Pictures from their addresses to the canvas: fetched once, decoded before they are due.
 *
 *     name, address --fetch--> file (kept while any pane may show it) --decode--> bitmap (the last used ones are kept)
 */

const PAUSES = [300, 1000, 3000]; // milliseconds before asking again
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
  /** @type {ReadonlyMap<string, string>} */
  #addresses = new Map();

  /** The picture, if it is decoded; null where it is not, or cannot be.
   * @param {string | undefined} name */
  at(name) {
    return (name !== undefined && this.#decoded.get(name)) || null;
  }

  /** Can it be shown, or is it known that it cannot?
   * @param {string | undefined} name */
  isSettled(name) {
    return name === undefined || this.#decoded.has(name);
  }

  /** Was it asked for in vain?
   * @param {string | undefined} name */
  isMissing(name) {
    return name !== undefined && this.#decoded.get(name) === null;
  }

  /** These will be shown soon: fetch and decode them.
   * @param {readonly string[]} names */
  async want(names) {
    await Promise.all(names.map((name) => this.#decode(name)));
    this.#forget(new Set(names));
  }

  /** These may be shown some day: fetch them, as the server may drop them; drop all others.
   * @param {ReadonlyMap<string, string>} addresses by name */
  keep(addresses) {
    this.#addresses = addresses;
    for (const name of [...this.#files.keys()]) {
      // What could not be had before is asked for again.
      if (addresses.has(name) && !this.isMissing(name)) continue;
      this.#files.delete(name);
      this.#drop(name);
    }
    for (const name of addresses.keys()) void this.#file(name);
  }

  /**
   * Red, green, blue and alpha of a pixel, 0 to 255; null where there is none.
   * @param {string | undefined} name
   * @param {{ x: number, y: number }} at
   */
  pixel(name, { x, y }) {
    const picture = this.at(name);
    if (picture === null) return null;
    picture.pixels ??= pixelsOf(picture.bitmap);
    const { data, width } = picture.pixels;
    return [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)];
  }

  close() {
    this.keep(new Map());
  }

  /** @param {string} name */
  #file(name) {
    const found = this.#files.get(name) ?? fetched(this.#addresses.get(name));
    this.#files.set(name, found);
    return found;
  }

  /** @param {string} name */
  #decode(name) {
    const found = this.#decoding.get(name) ?? this.#file(name).then(decoded);
    this.#decoding.delete(name);
    this.#decoding.set(name, found);
    return found.then((picture) => {
      if (this.#decoding.get(name) !== found) return picture?.bitmap.close(); // dropped meanwhile
      if (this.#decoded.has(name)) return;
      this.#decoded.set(name, picture);
      this.#bytes += bytesOf(picture);
    });
  }

  /** Make room, but not of what is wanted now.
   * @param {ReadonlySet<string>} wanted */
  #forget(wanted) {
    for (const name of [...this.#decoding.keys()]) {
      if (this.#bytes <= BUDGET) return;
      if (!wanted.has(name)) this.#drop(name);
    }
  }

  /** @param {string} name */
  #drop(name) {
    const picture = this.#decoded.get(name) ?? null;
    this.#bytes -= bytesOf(picture);
    picture?.bitmap.close();
    this.#decoded.delete(name);
    this.#decoding.delete(name);
  }
}

/** @param {string | undefined} address @returns {Promise<Blob | null>} */
async function fetched(address) {
  if (address === undefined) return null;
  for (const pause of [...PAUSES, 0]) {
    const response = await fetch(absolute(address)).catch(() => null);
    if (response?.ok) return response.blob();
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  return null;
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
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
    canvas.getContext("2d", { willReadFrequently: true })
  );
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/** Streamlit's addresses begin at its own root, which may be below the host's.
 * @param {string} address */
function absolute(address) {
  if (!address.startsWith("/")) return address;
  const script = document.querySelector('script[src*="/static/js/"]');
  const own = script instanceof HTMLScriptElement ? script.src.split("/static/js/")[0] : "";
  return `${own}${address}`;
}
