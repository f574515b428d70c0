/**
 * `?bench`: how fast and how right the page is on this device, as figures to paste into an issue.
 *
 *     reference cameras --drawn one by one--> pixels --against torch's pictures--> PSNR
 *     the way from each to the next, in steps --drawn, newest timings--> milliseconds by part
 *                                                                     -> BenchReport, markdown
 *
 * Every timed frame has another camera, since a frame that is drawn twice could come from a cache.
 * `fps` counts frames drawn one after another as fast as they come, without waiting for the screen.
 */
import { type BenchReport, spread, type Spread } from "./bench_report";
import type { CameraPose, Manifest } from "./manifest";
import type { FrameTimes, Picture } from "./protocol";
import { agreement } from "./self_check";

/** What is measured: the page's viewer, as far as this needs it. */
export interface Subject {
  capture(pose: CameraPose): Promise<Picture>;
  /** Draw this camera; resolves once it is on the canvas. */
  time(pose: CameraPose): Promise<FrameTimes>;
  /** Torch's picture of the k-th reference camera, premultiplied; null where it cannot be had. */
  reference(k: number): Promise<Picture | null>;
}

/** How many frames are timed: `most`, or as many as come in `seconds`, but `least` at least. */
export interface Effort {
  readonly most: number;
  readonly least: number;
  readonly seconds: number;
}

export const USUAL: Effort = { most: 60, least: 8, seconds: 15 };

/** Figures of all reference cameras, and of frames between them. */
export async function measure(
  subject: Subject,
  { references, start }: Manifest,
  { most, least, seconds }: Effort,
  progress: (fraction: number) => void,
): Promise<Pick<BenchReport, "frames" | "milliseconds" | "fps" | "psnr">> {
  const psnr: number[] = [];
  for (const [k, { camera }] of references.entries()) {
    const [drawn, expected] = [await subject.capture(camera), await subject.reference(k)];
    const found = expected === null ? null : agreement(drawn, expected);
    if (found !== null) psnr.push(found);
    progress((0.5 * (k + 1)) / references.length);
  }
  const cameras = references.length > 0 ? references.map(({ camera }) => camera) : [start];
  const times: FrameTimes[] = [];
  const began = performance.now();
  const passed = (): number => (performance.now() - began) / 1000;
  while (times.length < most && (times.length < least || passed() < seconds)) {
    times.push(await subject.time(between(cameras, (cameras.length * times.length) / most)));
    progress(0.5 + (0.5 * times.length) / most);
  }
  const fps = times.length / passed();
  progress(1);
  return { frames: times.length, milliseconds: spreads(times), fps, psnr };
}

/**
 * The camera at `position` on the closed way through `cameras`: 1.25 is a quarter of the way from
 * the second to the third. Poses are blended number by number: for times that is orbit enough.
 */
export function between(cameras: readonly CameraPose[], position: number): CameraPose {
  const first = Math.floor(position) % cameras.length;
  const [a, b] = [cameras[first]!, cameras[(first + 1) % cameras.length]!];
  const t = position - Math.floor(position);
  const mix = (from: readonly number[], to: readonly number[]): number[] =>
    from.map((value, i) => value + (to[i]! - value) * t);
  return {
    T_norm_camera: mix(a.T_norm_camera, b.T_norm_camera),
    intrinsics: mix(a.intrinsics, b.intrinsics) as unknown as CameraPose["intrinsics"],
  };
}

function spreads(times: readonly FrameTimes[]): Record<keyof FrameTimes, Spread> {
  const of = (part: keyof FrameTimes): Spread => spread(times.map((frame) => frame[part]));
  const [run, submit, present] = [of("run"), of("submit"), of("present")];
  return { run, submit, present, wait: of("wait"), total: of("total") };
}
