/**
 * Depth as something to look at: which distances get which colour.
 *
 *     camera, envelope -> range [near, far] -> (depth - near) / (far - near) -> colour_map.ts
 *
 * Depth is the distance along the unit ray, in norm units. The range depends on nothing but where
 * the camera stands, so colours do not flicker as it moves: the pivot has the middle colour, and
 * the ends are as far in front of it and behind it as the widest trained picture reaches above it,
 * seen from the farthest trained camera. Nearer is lighter.
 */
import { colourTable } from "./colour_map";
import type { CameraPose, Envelope } from "./manifest";
import { depthsFrom, looksAround } from "./room";

/** Distances that get the first and the last colour. */
export type Range = readonly [near: number, far: number];

/** How many colours there are. */
export const COLOURS = 256;

/** Below this alpha there is nothing there to be near or far. */
export const SOMETHING = 0.1;

/** The distances that the colours span, seen from `pose`. */
export function depthRange({ T_norm_camera: T }: CameraPose, envelope: Envelope): Range {
  const { pivot, radius, focal } = envelope;
  if (looksAround(envelope))
    return depthsFrom([T[3]!, T[7]!, T[11]!], [T[2]!, T[6]!, T[10]!], envelope);
  const distance = Math.hypot(...pivot.map((x, axis) => T[4 * axis + 3]! - x));
  const reach = Math.max((radius[1] * 0.5) / focal[0], 1e-6);
  return [Math.max(distance - reach, 0), distance + reach];
}

/**
 * `depth` [pixels] in colours, under the alpha of `planes` [4, pixels], into bytes of straight
 * alpha.
 */
export function paintDepth(
  depth: Float32Array,
  planes: Float32Array,
  [near, far]: Range,
  bytes: Uint8ClampedArray,
): void {
  const pixels = depth.length;
  const gain = (COLOURS - 1) / (far - near);
  const colours = table();
  for (let i = 0; i < pixels; i++) {
    const t = Math.round((depth[i]! - near) * gain);
    const at = 4 * (t > 0 ? Math.min(t, COLOURS - 1) : 0); // not a number: the first
    bytes[4 * i] = colours[at]!;
    bytes[4 * i + 1] = colours[at + 1]!;
    bytes[4 * i + 2] = colours[at + 2]!;
    bytes[4 * i + 3] = planes[i + 3 * pixels]! * 255; // a Uint8ClampedArray rounds and clamps
  }
}

let made: Uint8Array<ArrayBuffer> | null = null;

/** The colours as RGBA bytes; made when somebody first looks. */
export function table(): Uint8Array<ArrayBuffer> {
  return (made ??= colourTable(COLOURS));
}

/** A texture of the picture, the depths, the colours, the range -> the picture to look at. */
export const PAINT = /* wgsl */ `
@group(0) @binding(0) var picture: texture_2d<f32>;
@group(0) @binding(1) var depths: texture_2d<f32>;
@group(0) @binding(2) var colours: texture_2d<f32>;
@group(0) @binding(3) var<uniform> range: vec2f;

@fragment fn paint(@builtin(position) at: vec4f) -> @location(0) vec4f {
  let texel = vec2i(at.xy);
  let alpha = textureLoad(picture, texel, 0).a;
  let t = saturate((textureLoad(depths, texel, 0).r - range.x) / (range.y - range.x));
  let last = f32(textureDimensions(colours).x - 1u);
  let colour = textureLoad(colours, vec2i(i32(round(t * last)), 0), 0).rgb;
  return vec4f(colour * alpha, alpha);
}`;
