/**
 * What a frame leaves on the graphics card, and reading it back, which no frame does: only a
 * capture, the self-check at the start, and the question how far away something is.
 */
import { SOMETHING } from "./depth_view";
import type { Picture, Size } from "./protocol";

/** A frame on the graphics card. */
export interface Frame {
  /** Premultiplied colours, rgba8unorm. */
  readonly picture: GPUTexture;
  /** Distance along the unit ray in norm units, r32float; means nothing where alpha is 0. */
  readonly depth: GPUTexture;
}

/** Textures for a frame of this size, to be written by `packer` (present.ts) or a shader. */
export function frameTextures(device: GPUDevice, { width, height }: Size): Frame {
  const usage =
    GPUTextureUsage.RENDER_ATTACHMENT |
    GPUTextureUsage.STORAGE_BINDING |
    GPUTextureUsage.TEXTURE_BINDING |
    GPUTextureUsage.COPY_SRC;
  const size = [width, height];
  return {
    picture: device.createTexture({ label: "picture", size, format: "rgba8unorm", usage }),
    depth: device.createTexture({ label: "depth", size, format: "r32float", usage }),
  };
}

/** The bytes of an rgba8unorm texture, without the padding that WebGPU wants between rows. */
export async function readPicture(device: GPUDevice, texture: GPUTexture): Promise<Picture> {
  const { width, height } = texture;
  const row = 4 * width;
  const bytesPerRow = Math.ceil(row / 256) * 256;
  const padded = await readBack(device, bytesPerRow * height, (encoder, buffer) =>
    encoder.copyTextureToBuffer({ texture }, { buffer, bytesPerRow }, [width, height]),
  );
  const rgba = new Uint8Array(row * height);
  for (let y = 0; y < height; y++) {
    rgba.set(new Uint8Array(padded, y * bytesPerRow, row), y * row);
  }
  return { width, height, rgba };
}

/** The depth of one pixel; null where there is nothing. */
export async function readDepth(
  device: GPUDevice,
  { picture, depth }: Frame,
  x: number,
  y: number,
): Promise<number | null> {
  const found = await readBack(device, 8, (encoder, buffer) => {
    encoder.copyTextureToBuffer({ texture: picture, origin: [x, y] }, { buffer }, [1, 1]);
    encoder.copyTextureToBuffer({ texture: depth, origin: [x, y] }, { buffer, offset: 4 }, [1, 1]);
  });
  const alpha = new Uint8Array(found)[3]! / 255;
  return alpha < SOMETHING ? null : new Float32Array(found, 4, 1)[0]!;
}

/** The bytes that `copy` copies into a buffer of `size` bytes. */
async function readBack(
  device: GPUDevice,
  size: number,
  copy: (encoder: GPUCommandEncoder, buffer: GPUBuffer) => void,
): Promise<ArrayBuffer> {
  const buffer = device.createBuffer({
    label: "read back",
    size,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  });
  const encoder = device.createCommandEncoder();
  copy(encoder, buffer);
  device.queue.submit([encoder.finish()]);
  await buffer.mapAsync(GPUMapMode.READ);
  const content = buffer.getMappedRange().slice(0);
  buffer.destroy();
  return content;
}
