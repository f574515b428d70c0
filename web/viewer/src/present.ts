/**
 * Drawing on the graphics card: from a frame's textures to the canvas, without a read-back.
 *
 *     ONNX Runtime's planes [4, H, W], [H, W] of floats --pack--> picture, depth --scale--> canvas
 *     the split form's last shader (split.ts) ----------------> the same two
 *     picture, depth --paint (depth_view.ts)--> another picture, where depth is looked at
 *
 * The canvas has the screen's own resolution. Everything is premultiplied, so the page's background
 * shows through.
 */
import { COLOURS, PAINT, type Range, table } from "./depth_view";
import { fullScreenPass, type Pass } from "./gpu_pass";
import type { Size } from "./protocol";
import type { Frame } from "./textures";

/** Shows finished frames on a canvas. */
export interface Presenter {
  /**
   * Draw the newest frame on a canvas of this size, in device pixels: its picture, or its depth in
   * colours that span `depths`.
   */
  draw(size: Size, depths: Range | null): void;
}

const PACK = /* wgsl */ `
override WIDTH: u32;
override PIXELS: u32;
@group(0) @binding(0) var<storage, read> planes: array<f32>;
@group(0) @binding(1) var<storage, read> depths: array<f32>;

struct Packed {
  @location(0) picture: vec4f,
  @location(1) depth: f32,
}

@fragment fn pack(@builtin(position) at: vec4f) -> Packed {
  let i = u32(at.y) * WIDTH + u32(at.x);
  let alpha = saturate(planes[i + 3u * PIXELS]);
  let rgb = vec3f(planes[i], planes[i + PIXELS], planes[i + 2u * PIXELS]);
  let picture = vec4f(clamp(rgb, vec3f(0.0), vec3f(alpha)), alpha);
  return Packed(picture, depths[i]);
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

/**
 * Writes `planes` and `depths`, buffers of [4, height, width] and [height, width] floats, into the
 * frame.
 */
export function packer(
  device: GPUDevice,
  planes: GPUBuffer,
  depths: GPUBuffer,
  { picture, depth }: Frame,
): () => void {
  const constants = { WIDTH: picture.width, PIXELS: picture.width * picture.height };
  const buffers = [{ buffer: planes }, { buffer: depths }];
  const pack = fullScreenPass(device, PACK, [picture.format, depth.format], buffers, constants);
  const views = [picture.createView(), depth.createView()];
  return () => {
    const encoder = device.createCommandEncoder();
    pack(encoder, ...views);
    device.queue.submit([encoder.finish()]);
  };
}

/** A presenter of `frame`, which is on `device`. */
export function gpuPresenter(canvas: OffscreenCanvas, device: GPUDevice, frame: Frame): Presenter {
  const context = canvas.getContext("webgpu");
  if (context === null) throw new Error("the canvas has no WebGPU context");
  const format = navigator.gpu.getPreferredCanvasFormat();
  context.configure({ device, format, alphaMode: "premultiplied" });
  const canvasSize = pairOfNumbers(device);
  const sampler = device.createSampler({ magFilter: "linear", minFilter: "linear" });
  const scaling = (picture: GPUTexture): Pass =>
    fullScreenPass(device, SCALE, [format], [picture.createView(), sampler, canvasSize]);
  const scalePicture = scaling(frame.picture);
  let painter: Painter | null = null;

  return {
    draw(size, depths) {
      resize(canvas, size);
      write(device, canvasSize, [size.width, size.height]);
      const encoder = device.createCommandEncoder();
      const target = context.getCurrentTexture().createView();
      if (depths === null) scalePicture(encoder, target);
      else {
        painter ??= depthPainter(device, frame, scaling);
        painter(encoder, depths, target);
      }
      device.queue.submit([encoder.finish()]);
    },
  };
}

type Painter = (encoder: GPUCommandEncoder, depths: Range, target: GPUTextureView) => void;

/** Paints the frame's depth into a picture of its own, and that on the target. */
function depthPainter(
  device: GPUDevice,
  { picture, depth }: Frame,
  scaling: (picture: GPUTexture) => Pass,
): Painter {
  const { width, height, format } = picture;
  const { RENDER_ATTACHMENT, TEXTURE_BINDING, COPY_DST } = GPUTextureUsage;
  const usage = RENDER_ATTACHMENT | TEXTURE_BINDING;
  const painted = device.createTexture({ label: "painted", size: [width, height], format, usage });
  const colours = device.createTexture({
    label: "colours",
    size: [COLOURS, 1],
    format,
    usage: TEXTURE_BINDING | COPY_DST,
  });
  device.queue.writeTexture({ texture: colours }, table(), {}, [COLOURS, 1]);
  const range = pairOfNumbers(device);
  const views = [picture.createView(), depth.createView(), colours.createView()];
  const paint = fullScreenPass(device, PAINT, [format], [...views, range]);
  const [own, scale] = [painted.createView(), scaling(painted)];
  return (encoder, depths, target) => {
    write(device, range, depths);
    paint(encoder, own);
    scale(encoder, target);
  };
}

function pairOfNumbers(device: GPUDevice): GPUBufferBinding {
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  return { buffer: device.createBuffer({ size: 8, usage }) };
}

const write = (device: GPUDevice, { buffer }: GPUBufferBinding, pair: readonly number[]): void =>
  device.queue.writeBuffer(buffer, 0, Float32Array.from(pair));

/** Setting a canvas's size clears it, even to the same value. */
export function resize(canvas: OffscreenCanvas, { width, height }: Size): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
