/**
 * `?bench` on the page: a dialogue that measures, and then holds the figures to be copied.
 *
 *     session -> bench.ts -> table, JSON
 */
import { measure, USUAL } from "./bench";
import { type BenchReport, markdown } from "./bench_report";
import { made } from "./dom";
import { gflopOf } from "./info";
import type { Session } from "./session";
import { copied } from "./share";

/** Measure `session`, which has drawn its first frame. Nobody should move the camera meanwhile. */
export async function runBench(session: Session): Promise<BenchReport> {
  const progress = made("progress", "", { value: 0 });
  progress.setAttribute("aria-label", "Measuring");
  const title = made("h2", "Measuring…", { id: "bench-title" });
  const dialog = made("dialog", [title, progress], { id: "bench" });
  dialog.setAttribute("aria-labelledby", title.id);
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  const measured = await measure(session, session.manifest, USUAL, (done) => {
    progress.value = done;
  });
  const report = reportOf(session, measured);
  title.textContent = "Bench";
  progress.replaceWith(...results(report, dialog));
  return report;
}

function reportOf(session: Session, measured: Awaited<ReturnType<typeof measure>>): BenchReport {
  const { manifest, running } = session;
  if (running === null) throw new Error("nothing runs yet");
  const { backend, adapter, form, model } = running;
  const { student, precision, width, height } = model;
  const heap = (performance as { memory?: { usedJSHeapSize: number } }).memory;
  return {
    schema: 1,
    scene: manifest.name,
    exported: manifest.provenance.created,
    measured: new Date().toISOString(),
    browser: navigator.userAgent,
    cores: navigator.hardwareConcurrency,
    backend,
    adapter,
    student,
    precision,
    form,
    width,
    height,
    gflop: gflopOf(running),
    ...measured,
    heap: heap === undefined ? null : heap.usedJSHeapSize / 1e6, // Chromium only
  };
}

function results(report: BenchReport, dialog: HTMLDialogElement): readonly Node[] {
  const table = markdown(report);
  const text = made("pre", table, { tabIndex: 0 });
  text.setAttribute("role", "region");
  text.setAttribute("aria-label", "Figures");
  const copies = (name: string, content: string): HTMLButtonElement => {
    const button = made("button", name, { type: "button" });
    button.addEventListener("click", async () => {
      const done = await copied(content);
      if (!done) {
        text.textContent = content;
        getSelection()?.selectAllChildren(text);
      }
      button.textContent = done ? "Copied" : "Selected";
    });
    return button;
  };
  const close = made("button", "Close", { type: "button", onclick: () => dialog.close() });
  const json = JSON.stringify(report, null, 2);
  const row = made("div", [copies("Copy table", table), copies("Copy JSON", json), close]);
  row.className = "row";
  return [text, row];
}
