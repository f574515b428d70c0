/**
 * Drawing without WebGPU: from arrays to the same canvas, through its 2-D context.
 *
 *     planes [4, H, W], depth [H, W] of floats --> ImageData W x H (straight alpha) --> canvas
 */
import { paintDepth, type Range } from "./depth_view";
import { resize } from "./present";
import type { Picture, Size } from "./protocol";
import type { Arrays } from "./runtime";

/** Shows arrays on a canvas. */
export interface ArrayPresenter {
  /** Draw the picture, or its depth in colours that span `depths`, on a canvas of this size. */
  draw(arrays: Arrays, size: Size, depths: Range | null): void;
  /** The picture's bytes as the canvas is given them, but premultiplied. */
  read(arrays: Arrays): Picture;
}

/** A presenter for pictures of the given size. */
export function arrayPresenter(canvas: OffscreenCanvas, { width, height }: Size): ArrayPresenter {
  const context = canvas.getContext("2d");
  const picture = new OffscreenCanvas(width, height);
  const pixels = picture.getContext("2d");
  if (context === null || pixels === null) throw new Error("the canvas has no 2-D context");
  const image = new ImageData(width, height);

  return {
    draw({ planes, depth }, size, depths) {
      if (depths === null) straighten(planes, image.data);
      else paintDepth(depth, planes, depths, image.data);
      pixels.putImageData(image, 0, 0);
      resize(canvas, size);
      context.imageSmoothingQuality = "high";
      context.imageSmoothingEnabled = size.width !== width || size.height !== height;
      context.clearRect(0, 0, size.width, size.height);
      context.drawImage(picture, 0, 0, size.width, size.height);
    },
    read({ planes }) {
      const bytes = new Uint8ClampedArray(planes.length);
      straighten(planes, bytes);
      return { width, height, rgba: premultiply(bytes) };
    },
  };
}

/**
 * Planes [4, pixels] of premultiplied floats into interleaved bytes of straight alpha, as ImageData
 * wants them.
 */
export function straighten(planes: Float32Array, bytes: Uint8ClampedArray): void {
  const pixels = planes.length / 4;
  for (let i = 0; i < pixels; i++) {
    const alpha = Math.min(Math.max(planes[i + 3 * pixels]!, 0), 1);
    const gain = alpha > 0 ? 255 / alpha : 0;
    bytes[4 * i] = planes[i]! * gain; // a Uint8ClampedArray rounds and clamps
    bytes[4 * i + 1] = planes[i + pixels]! * gain;
    bytes[4 * i + 2] = planes[i + 2 * pixels]! * gain;
    bytes[4 * i + 3] = alpha * 255;
  }
}

/** Straight alpha to premultiplied, in bytes. */
export function premultiply(straight: Uint8ClampedArray): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(straight.length);
  for (let i = 0; i < straight.length; i += 4) {
    const alpha = straight[i + 3]!;
    for (let c = 0; c < 3; c++) bytes[i + c] = Math.round((straight[i + c]! * alpha) / 255);
    bytes[i + 3] = alpha;
  }
  return bytes;
}
