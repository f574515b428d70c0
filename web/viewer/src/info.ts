/**
 * What is known about the scene and what draws it, as a table and as text.
 *
 *     manifest + what runs + its times -> sections of [term, value] -> panel, clipboard
 */
import { made } from "./dom";
import { backendName, millisecondsText } from "./hud";
import type { Manifest, Quality } from "./manifest";
import type { Running } from "./protocol";
import { filesToRun } from "./runtime";
import type { StatsReport } from "./stats";

export interface Section {
  readonly title: string;
  readonly rows: readonly (readonly [term: string, value: string])[];
}

/** "7.9 MB" */
export const megabytesText = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** "31.2 dB"; nothing was found different at 100. */
export const decibelsText = (psnr: number): string =>
  psnr >= 100 ? "at least 100 dB" : `${psnr.toFixed(1)} dB`;

/** What the visitor has downloaded of the model that runs. */
export function modelBytes({ model, form, backend }: Running): number {
  return filesToRun(model, form, backend).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Floating-point operations of a frame in the form that runs, in 10^9. */
export const gflopOf = ({ model, form }: Running): number =>
  form === "split" ? (model.split?.gflop ?? model.gflop) : model.gflop;

/** The panel's sections, of which those without rows are left out. */
export function sections(
  manifest: Manifest,
  running: Running | null,
  stats: StatsReport,
): readonly Section[] {
  return [
    { title: "Model", rows: running === null ? [] : modelRows(running) },
    { title: "Drawn here", rows: running === null ? [] : drawingRows(running, stats) },
    { title: qualityTitle(manifest.quality), rows: qualityRows(manifest, running) },
    { title: "Made", rows: provenanceRows(manifest) },
  ].filter(({ rows }) => rows.length > 0);
}

type Row = readonly [string, string];

/** Of a frame's time: medians. */
const PARTS: Readonly<Record<string, string>> = {
  run: "Runtime",
  submit: "Submit",
  present: "Present",
  wait: "Wait",
  total: "Frame",
};

function modelRows(running: Running): Row[] {
  const { model } = running;
  return [
    ["Student", model.student],
    ["Parameters", model.parameters.toLocaleString("en")],
    ["Download", `${megabytesText(modelBytes(running))}, ${model.precision}`],
    ["Picture", `${model.width} × ${model.height}`],
    ["Work", `${gflopOf(running).toPrecision(3)} GFLOP a frame`],
  ];
}

function drawingRows({ backend, form, adapter }: Running, stats: StatsReport): Row[] {
  const rows: Row[] = [["Backend", backendName(backend)]];
  if (backend === "webgpu") {
    rows.push(["Form", form === "split" ? "split: shaders around a network" : "one graph"]);
  }
  rows.push(["Adapter", adapter ?? "none"]);
  for (const [part, milliseconds] of Object.entries(stats.parts ?? {}))
    if (milliseconds >= 0.05) rows.push([PARTS[part] ?? part, millisecondsText(milliseconds)]);
  for (const [stage, milliseconds] of Object.entries(stats.stages ?? {}))
    rows.push([`Card: ${stage}`, `${milliseconds.toFixed(2)} ms`]);
  if (stats.fps !== null) rows.push(["Rate", `${stats.fps.toFixed(0)} frames a second`]);
  rows.push(["Frames", String(stats.frames)]);
  if (stats.check !== null) rows.push(["Checked", `${decibelsText(stats.check)} to torch`]);
  return rows;
}

/** A PSNR says little without what it was measured on. */
function qualityTitle({ views, split, background, width, height }: Quality): string {
  if (views === 0) return "Quality";
  const where = `${width} × ${height}, ${background} background`;
  return `Quality: mean PSNR of ${views} ${split} views, ${where}`;
}

function qualityRows({ quality }: Manifest, running: Running | null): Row[] {
  const figures = [
    ["Teacher", quality.teacher_psnr],
    ["Student", quality.student_psnr_truth],
    ["Student against teacher", quality.student_psnr_teacher],
    ["This file against torch", running?.model.psnr ?? null],
  ] as const;
  return figures.flatMap(([term, psnr]) => (psnr === null ? [] : [[term, decibelsText(psnr)]]));
}

function provenanceRows({ provenance }: Manifest): Row[] {
  const { scene, created, versions } = provenance;
  const rows: Row[] = [
    ["Scene", scene],
    ["Created", created.replace("T", " ").replace(/(\.\d+)?(\+00:00|Z)$/, " UTC")],
  ];
  for (const [name, version] of Object.entries(versions)) rows.push([name, version]);
  return rows;
}

/** As text, for an issue or a message. */
export function asText(name: string, found: readonly Section[]): string {
  const parts = found.map(({ title, rows }) =>
    [title, ...rows.map(([term, value]) => `  ${term}: ${value}`)].join("\n"),
  );
  return [name, ...parts].join("\n") + "\n";
}

/** As headings and lists. */
export function asNodes(found: readonly Section[]): Node[] {
  return found.flatMap(({ title, rows }) => [
    made("h3", title),
    made(
      "dl",
      rows.flatMap(([term, value]) => [made("dt", term), made("dd", value)]),
    ),
  ]);
}
