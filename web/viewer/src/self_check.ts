/**
 * Does this device compute the scene rightly? Drivers and runtimes have been wrong before.
 *
 *     start camera -> renderer.compute --+
 *     poster.png (torch, same camera) ---+--> PSNR: `RIGHT` and more is right
 *
 * Once at every start, before the first frame; costs one picture that is not shown (but kept, where
 * the visitor wants to see just that) and one read-back.
 */
import { premultiply } from "./present_2d";
import type { Picture } from "./protocol";

/**
 * Least PSNR of a right picture, in dB: what the project asks of half precision at least. Measured
 * on eight bundles: half precision in ONNX Runtime 61 to 82 (57 and more after rounding to bytes);
 * wrong ones, the picture moved by one pixel 32 at most, 5 % too dark 38 at most, a channel in the
 * wrong place 30 at most, another camera 18 at most.
 */
export const RIGHT = 40;

const IDENTICAL = 100; // dB, as export writes it

/** PSNR of premultiplied RGBA, in dB; null where the sizes differ. */
export function agreement(a: Picture, b: Picture): number | null {
  if (a.width !== b.width || a.height !== b.height) return null;
  let sum = 0;
  for (let i = 0; i < a.rgba.length; i++) sum += (a.rgba[i]! - b.rgba[i]!) ** 2;
  const error = sum / a.rgba.length / 255 ** 2;
  return Math.min(-10 * Math.log10(error), IDENTICAL);
}

/**
 * The pixels of an image file, premultiplied. Null where they cannot be had: no such file, or a
 * browser that keeps canvases from being read exactly (Firefox against fingerprinting).
 */
export async function fetchPicture(address: string): Promise<Picture | null> {
  try {
    const response = await fetch(address);
    return response.ok ? await decode(await response.blob()) : null;
  } catch (error) {
    console.warn(`the poster cannot be compared: ${String(error)}`);
    return null;
  }
}

async function decode(file: Blob): Promise<Picture | null> {
  const exact = { premultiplyAlpha: "none", colorSpaceConversion: "none" } as const;
  const image = await createImageBitmap(file, exact);
  const { width, height } = image;
  // One row more than the picture: bytes that are known, to see whether they come back.
  const canvas = new OffscreenCanvas(width, height + 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) return null;
  context.drawImage(image, 0, 0);
  image.close();
  const known = knownRow(width);
  context.putImageData(new ImageData(known, width, 1), 0, height);
  const bytes = context.getImageData(0, 0, width, height + 1).data;
  const last = bytes.subarray(4 * width * height);
  if (known.some((value, i) => value !== last[i])) return null;
  return { width, height, rgba: premultiply(bytes.subarray(0, 4 * width * height)) };
}

/** Opaque pixels of all kinds of values. */
function knownRow(width: number): Uint8ClampedArray<ArrayBuffer> {
  const row = new Uint8ClampedArray(4 * width);
  for (let i = 0; i < row.length; i++) row[i] = i % 4 === 3 ? 255 : (i * 37) % 256;
  return row;
}

/** What went wrong, for the visitor. */
export function wrongText(where: string, decibels: number): string {
  return (
    `${where} draws this scene wrongly ` +
    `(${decibels.toFixed(1)} dB against its exported picture, at least ${RIGHT} expected).`
  );
}
