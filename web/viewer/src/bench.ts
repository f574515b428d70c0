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
import type { CameraPose, Manifest } from "./manifest";
import type { FrameTimes, Picture } from "./protocol";
import { agreement } from "./self_check";

/** Of many frames, in milliseconds. */
export interface Spread {
  readonly median: number;
  readonly p95: number;
}

export interface BenchReport {
  readonly schema: 1;
  readonly scene: string;
  /** When the scene was exported, and when this was measured: UTC, ISO 8601. */
  readonly exported: string;
  readonly measured: string;
  readonly browser: string;
  readonly cores: number;
  readonly backend: string;
  readonly adapter: string | null;
  readonly student: string;
  readonly precision: string;
  readonly form: string;
  readonly width: number;
  readonly height: number;
  readonly gflop: number;
  readonly frames: number;
  /** By part, and in all (`total`): see FrameTimes. */
  readonly milliseconds: Readonly<Record<keyof FrameTimes, Spread>>;
  readonly fps: number;
  /** Of the page's own JavaScript, in MB; null where the browser does not say. */
  readonly heap: number | null;
  /** Canvas against torch's picture, premultiplied RGBA, in dB, by reference camera. */
  readonly psnr: readonly number[];
}

/** What is measured: the page's viewer, as far as this needs it. */
export interface Subject {
  capture(pose: CameraPose): Promise<Picture>;
  /** Draw this camera; resolves once it is on the canvas. */
  time(pose: CameraPose): Promise<FrameTimes>;
  /** Torch's picture of the k-th reference camera, premultiplied; null where it cannot be had. */
  reference(k: number): Promise<Picture | null>;
}

/** Figures of all reference cameras, and of `frames` frames between them. */
export async function measure(
  subject: Subject,
  { references, start }: Manifest,
  frames: number,
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
  for (let frame = 0; frame < frames; frame++) {
    times.push(await subject.time(between(cameras, (cameras.length * frame) / frames)));
    progress(0.5 + (0.5 * (frame + 1)) / frames);
  }
  const seconds = (performance.now() - began) / 1000;
  return {
    frames,
    milliseconds: spreads(times),
    fps: frames / seconds,
    psnr,
  };
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

/** Median and 95th percentile (nearest rank). */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (fraction: number): number =>
    sorted[Math.max(Math.ceil(fraction * sorted.length) - 1, 0)] ?? NaN;
  return { median: rank(0.5), p95: rank(0.95) };
}

function spreads(times: readonly FrameTimes[]): Record<keyof FrameTimes, Spread> {
  const of = (part: keyof FrameTimes): Spread => spread(times.map((frame) => frame[part]));
  const [run, submit, present] = [of("run"), of("submit"), of("present")];
  return { run, submit, present, wait: of("wait"), total: of("total") };
}

const ms = ({ median, p95 }: Spread): string => `${median.toFixed(1)} | ${p95.toFixed(1)}`;

/** The report as a Markdown table. */
export function markdown(report: BenchReport): string {
  const { width, height, precision, form, student, backend, adapter, psnr } = report;
  const facts: [string, string][] = [
    ["scene", `${report.scene}, exported ${report.exported}`],
    ["model", `${student}, ${precision}, ${form}, ${width} × ${height}, ${report.gflop} GFLOP`],
    ["runs on", [backend, adapter ?? "no graphics adapter"].join(", ")],
    ["browser", `${report.browser}, ${report.cores} cores`],
    ["frames", `${report.frames}, ${report.fps.toFixed(1)} a second`],
    ["heap", report.heap === null ? "not said" : `${report.heap.toFixed(0)} MB`],
    ["against torch", psnrText(psnr)],
    ["measured", report.measured],
  ];
  return [
    "| Pocketfield bench | |",
    "| --- | --- |",
    ...facts.map(([name, text]) => `| ${name} | ${text} |`),
    "",
    "| ms | median | 95 % |",
    "| --- | --- | --- |",
    ...Object.entries(report.milliseconds).map(([name, it]) => `| ${name} | ${ms(it)} |`),
    "",
  ].join("\n");
}

function psnrText(psnr: readonly number[]): string {
  if (psnr.length === 0) return "no reference pictures";
  const mean = psnr.reduce((a, b) => a + b, 0) / psnr.length;
  const worst = Math.min(...psnr);
  return `${mean.toFixed(1)} dB mean, ${worst.toFixed(1)} dB worst of ${psnr.length} cameras`;
}
