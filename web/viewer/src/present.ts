/**
 * Drawing on the graphics card: from a picture's texture to the canvas, without a read-back.
 *
 *     ONNX Runtime's planes [4, H, W] of floats --pack--> texture W x H, rgba8unorm --scale--> canvas
 *     the split form's last shader (split.ts) -----------> the same texture
 *
 * The canvas has the screen's own resolution. Everything is premultiplied, so the page's background
 * shows through. The texture is what `read` returns.
 */
import type { Picture, Size } from "./protocol";

/** Shows finished pictures on a canvas. */
export interface Presenter {
  /** Draw the newest picture on a canvas of this size, in device pixels. */
  draw(size: Size): void;
  /** The picture that `draw` draws, at the model's size. */
  read(): Promise<Picture>;
}

const TRIANGLE = /* wgsl */ `
@vertex fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
  return vec4f(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}`;

const PACK = /* wgsl */ `
override WIDTH: u32;
override PIXELS: u32;
@group(0) @binding(0) var<storage, read> planes: array<f32>;

@fragment fn pack(@builtin(position) at: vec4f) -> @location(0) vec4f {
  let i = u32(at.y) * WIDTH + u32(at.x);
  let alpha = saturate(planes[i + 3u * PIXELS]);
  let rgb = vec3f(planes[i], planes[i + PIXELS], planes[i + 2u * PIXELS]);
  return vec4f(clamp(rgb, vec3f(0.0), vec3f(alpha)), alpha);
}`;

// Catmull-Rom interpolation (E. Catmull, R. Rom, 1974: cubic with tangents half the neighbours'
// difference): sharper than bilinear, and exact where canvas and picture have the same size. The
// two middle weights of each axis share one bilinear fetch at their centre of gravity, so 9 fetches
// do for the 16 texels.
const SCALE = /* wgsl */ `
@group(0) @binding(0) var picture: texture_2d<f32>;
@group(0) @binding(1) var bilinear: sampler;
@group(0) @binding(2) var<uniform> canvas: vec2f;

@fragment fn scale(@builtin(position) at: vec4f) -> @location(0) vec4f {
  let size = vec2f(textureDimensions(picture));
  let p = at.xy / canvas * size;
  let centre = floor(p - 0.5) + 0.5;
  let f = p - centre;
  let first = f * (-0.5 + f * (1.0 - 0.5 * f));
  let last = f * f * (-0.5 + 0.5 * f);
  let third = f * (0.5 + f * (2.0 - 1.5 * f));
  let middle = 1.0 - first - last;
  let x = vec3f(centre.x - 1.0, centre.x + third.x / middle.x, centre.x + 2.0) / size.x;
  let y = vec3f(centre.y - 1.0, centre.y + third.y / middle.y, centre.y + 2.0) / size.y;
  let wx = vec3f(first.x, middle.x, last.x);
  let wy = vec3f(first.y, middle.y, last.y);
  var sum = vec4f(0.0);
  for (var j = 0; j < 3; j++) {
    for (var i = 0; i < 3; i++) {
      sum += wx[i] * wy[j] * textureSampleLevel(picture, bilinear, vec2f(x[i], y[j]), 0.0);
    }
  }
  let alpha = saturate(sum.a); // the negative lobes overshoot at edges
  return vec4f(clamp(sum.rgb, vec3f(0.0), vec3f(alpha)), alpha);
}`;

/** A texture for a picture of this size, to be written by `packer` or a shader. */
export function pictureTexture(device: GPUDevice, { width, height }: Size): GPUTexture {
  return device.createTexture({
    label: "picture",
    size: [width, height],
    format: "rgba8unorm",
    usage:
      GPUTextureUsage.RENDER_ATTACHMENT |
      GPUTextureUsage.STORAGE_BINDING |
      GPUTextureUsage.TEXTURE_BINDING |
      GPUTextureUsage.COPY_SRC,
  });
}

/** Writes `planes`, a buffer of [4, height, width] floats, into the picture. */
export function packer(device: GPUDevice, planes: GPUBuffer, picture: GPUTexture): () => void {
  const constants = { WIDTH: picture.width, PIXELS: picture.width * picture.height };
  const pack = fullScreenPass(device, PACK, "rgba8unorm", [{ buffer: planes }], constants);
  const view = picture.createView();
  return () => {
    const encoder = device.createCommandEncoder();
    pack(encoder, view);
    device.queue.submit([encoder.finish()]);
  };
}

/** A presenter of `picture`, a texture on `device`. */
export function gpuPresenter(
  canvas: OffscreenCanvas,
  device: GPUDevice,
  picture: GPUTexture,
): Presenter {
  const context = canvas.getContext("webgpu");
  if (context === null) throw new Error("the canvas has no WebGPU context");
  const format = navigator.gpu.getPreferredCanvasFormat();
  context.configure({ device, format, alphaMode: "premultiplied" });
  const canvasSize = device.createBuffer({
    size: 8,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  const sampler = device.createSampler({ magFilter: "linear", minFilter: "linear" });
  const scale = fullScreenPass(device, SCALE, format, [
    picture.createView(),
    sampler,
    { buffer: canvasSize },
  ]);

  return {
    draw(size) {
      resize(canvas, size);
      device.queue.writeBuffer(canvasSize, 0, new Float32Array([size.width, size.height]));
      const encoder = device.createCommandEncoder();
      scale(encoder, context.getCurrentTexture().createView());
      device.queue.submit([encoder.finish()]);
    },
    read: () => readTexture(device, picture),
  };
}

/** Setting a canvas's size clears it, even to the same value. */
export function resize(canvas: OffscreenCanvas, { width, height }: Size): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

type Pass = (encoder: GPUCommandEncoder, target: GPUTextureView) => void;

/** A render pass of one triangle that covers the target, with the fragment shader `code`. */
function fullScreenPass(
  device: GPUDevice,
  code: string,
  format: GPUTextureFormat,
  resources: readonly GPUBindingResource[],
  constants: Record<string, number> = {},
): Pass {
  const module = device.createShaderModule({ code: TRIANGLE + code });
  const pipeline = device.createRenderPipeline({
    layout: "auto",
    vertex: { module },
    fragment: { module, targets: [{ format }], constants },
  });
  const entries = resources.map((resource, binding) => ({ binding, resource }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  return (encoder, view) => {
    const pass = encoder.beginRenderPass({
      colorAttachments: [{ view, loadOp: "clear", storeOp: "store" }],
    });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.draw(3);
    pass.end();
  };
}

/** The bytes of an rgba8unorm texture, without the padding that WebGPU wants between rows. */
async function readTexture(device: GPUDevice, texture: GPUTexture): Promise<Picture> {
  const { width, height } = texture;
  const row = 4 * width;
  const bytesPerRow = Math.ceil(row / 256) * 256;
  const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
  const buffer = device.createBuffer({ size: bytesPerRow * height, usage });
  const encoder = device.createCommandEncoder();
  encoder.copyTextureToBuffer({ texture }, { buffer, bytesPerRow }, [width, height]);
  device.queue.submit([encoder.finish()]);
  await buffer.mapAsync(GPUMapMode.READ);
  const padded = new Uint8Array(buffer.getMappedRange());
  const rgba = new Uint8Array(row * height);
  for (let y = 0; y < height; y++) {
    rgba.set(padded.subarray(y * bytesPerRow, y * bytesPerRow + row), y * row);
  }
  buffer.destroy();
  return { width, height, rgba };
}
