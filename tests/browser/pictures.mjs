/** Pictures as premultiplied RGBA in [0, 1], and how far apart they are. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const viewer = new URL("../../web/viewer/package.json", import.meta.url);
const { PNG } = createRequire(viewer)("pngjs");

/** A PNG file or buffer (straight alpha, as every PNG) -> { width, height, rgba: Float64Array }. */
export function readPng(source) {
  const { width, height, data } = PNG.sync.read(
    typeof source === "string" ? readFileSync(source) : source,
  );
  const rgba = Float64Array.from(
    data,
    (value, i) => (i % 4 === 3 ? 1 : data[i | 3] / 255) * (value / 255),
  );
  return { width, height, rgba };
}

/** What `pocketfield.frame` gives: premultiplied bytes, here as a plain array. */
export function fromBytes({ width, height, rgba }) {
  return {
    width,
    height,
    rgba: Float64Array.from(rgba, (value) => value / 255),
  };
}

/** `picture` on an opaque background of `rgb` bytes. */
export function over(picture, rgb) {
  const rgba = picture.rgba.map((value, i) => {
    const rest = 1 - picture.rgba[i | 3];
    return i % 4 === 3 ? 1 : value + (rest * rgb[i % 4]) / 255;
  });
  return { ...picture, rgba };
}

/** -10 log10 of the mean squared difference over all four channels, in dB. */
export function psnr(a, b) {
  if (a.width !== b.width || a.height !== b.height) {
    throw new Error(`${a.width} x ${a.height} against ${b.width} x ${b.height} pixels`);
  }
  const sum = a.rgba.reduce((total, value, i) => total + (value - b.rgba[i]) ** 2, 0);
  return -10 * Math.log10(sum / a.rgba.length);
}

/**
 * Catmull-Rom interpolation onto another size, clamped to valid premultiplied colours; a test's own
 * arithmetic.
 */
export function enlarged(picture, width, height) {
  const columns = taps(picture.width, width);
  const rows = taps(picture.height, height);
  const rgba = new Float64Array(4 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      for (const [row, wy] of rows[y]) {
        for (const [column, wx] of columns[x]) {
          const from = 4 * (row * picture.width + column);
          for (let c = 0; c < 4; c++) rgba[at + c] += wx * wy * picture.rgba[from + c];
        }
      }
      rgba[at + 3] = Math.min(Math.max(rgba[at + 3], 0), 1);
      for (let c = 0; c < 3; c++) rgba[at + c] = Math.min(Math.max(rgba[at + c], 0), rgba[at + 3]);
    }
  }
  return { width, height, rgba };
}

/** For every target sample its four [source index, weight], by Keys' cubic kernel with a = -1/2. */
function taps(from, to) {
  const kernel = (t) => {
    const d = Math.abs(t);
    if (d < 1) return 1.5 * d ** 3 - 2.5 * d ** 2 + 1;
    return d < 2 ? -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2 : 0;
  };
  return Array.from({ length: to }, (_, i) => {
    const p = ((i + 0.5) * from) / to - 0.5;
    const first = Math.floor(p) - 1;
    return [0, 1, 2, 3].map((k) => [
      Math.min(Math.max(first + k, 0), from - 1),
      kernel(p - (first + k)),
    ]);
  });
}
