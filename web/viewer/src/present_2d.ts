/**
 * Drawing without WebGPU: from an array to the same canvas, through its 2-D context.
 *
 *     planes [4, H, W] of floats --> ImageData W x H (straight alpha) --> canvas
 */
import { resize, type Presenter } from "./present";
import type { Size } from "./protocol";

/** A presenter whose picture is set by `show`. */
export interface ArrayPresenter extends Presenter {
  /** Take over planes [4, height, width] of premultiplied floats. */
  show(planes: Float32Array): void;
}

/** A presenter for pictures of the given size. */
export function arrayPresenter(canvas: OffscreenCanvas, { width, height }: Size): ArrayPresenter {
  const context = canvas.getContext("2d");
  const picture = new OffscreenCanvas(width, height);
  const pixels = picture.getContext("2d", { willReadFrequently: true });
  if (context === null || pixels === null) throw new Error("the canvas has no 2-D context");
  const image = new ImageData(width, height);

  return {
    show(planes) {
      straighten(planes, image.data);
      pixels.putImageData(image, 0, 0);
    },
    draw(size) {
      resize(canvas, size);
      context.imageSmoothingQuality = "high";
      context.imageSmoothingEnabled = size.width !== width || size.height !== height;
      context.clearRect(0, 0, size.width, size.height);
      context.drawImage(picture, 0, 0, size.width, size.height);
    },
    async read() {
      return { width, height, rgba: premultiply(pixels.getImageData(0, 0, width, height).data) };
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
  return Uint8Array.from(straight, (value, i) =>
    i % 4 === 3 ? value : Math.round((value * straight[i | 3]!) / 255),
  );
}
