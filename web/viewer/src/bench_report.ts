/** What `?bench` reports: figures, and the same as a table to paste into an issue. */
import type { FrameTimes } from "./protocol";

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

/** Median and 95th percentile (nearest rank). */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (fraction: number): number =>
    sorted[Math.max(Math.ceil(fraction * sorted.length) - 1, 0)] ?? NaN;
  return { median: rank(0.5), p95: rank(0.95) };
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
