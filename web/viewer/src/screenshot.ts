/**
 * A picture as a PNG file.
 *
 *     premultiplied bytes (protocol.ts) -> straight alpha, or laid on a colour -> PNG -> download
 */
import type { Rgb } from "./backdrop";
import type { Picture } from "./protocol";

/** Bytes of straight alpha, as PNG has them; transparent pixels are black. */
export function straightened({ rgba }: Picture): Uint8ClampedArray<ArrayBuffer> {
  const straight = new Uint8ClampedArray(rgba.length);
  for (let i = 0; i < rgba.length; i += 4) {
    const alpha = rgba[i + 3]!;
    const gain = alpha > 0 ? 255 / alpha : 0;
    for (let c = 0; c < 3; c++) straight[i + c] = rgba[i + c]! * gain; // rounds and clamps
    straight[i + 3] = alpha;
  }
  return straight;
}

/** The picture on `colour`, opaque. */
export function laidOn({ rgba }: Picture, colour: Rgb): Uint8ClampedArray<ArrayBuffer> {
  const opaque = new Uint8ClampedArray(rgba.length);
  for (let i = 0; i < rgba.length; i += 4) {
    const rest = 255 - rgba[i + 3]!;
    for (let c = 0; c < 3; c++) opaque[i + c] = rgba[i + c]! + rest * colour[c]!;
    opaque[i + 3] = 255;
  }
  return opaque;
}

/** "Still life" -> "still-life.png" */
export function fileName(scene: string): string {
  const plain = scene.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const slug = plain.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "");
  return `${slug === "" ? "scene" : slug}.png`;
}

/** A PNG of `picture`: with its transparency, or on `colour`. */
export async function pngOf(picture: Picture, colour: Rgb | null): Promise<Blob> {
  const { width, height } = picture;
  const canvas = new OffscreenCanvas(width, height);
  const pixels = colour === null ? straightened(picture) : laidOn(picture, colour);
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/** Hand `blob` to the visitor as a file. */
export function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // Safari reads it a little later
}
