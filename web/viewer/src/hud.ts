/**
 * What lies around the picture: its name, the poster and progress while loading, the line of
 * figures, the buttons.
 */
import type { Running } from "./protocol";
import type { StatsReport } from "./stats";

const MEGABYTE = 1e6;
const BACKENDS = { webgpu: "WebGPU", wasm: "WebAssembly" } as const;

/** The element with this id, which index.html has. */
export function element<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return found as Kind;
}

/** "12.3 of 34.5 MB" */
export function progressText(received: number, total: number): string {
  return `${(received / MEGABYTE).toFixed(1)} of ${(total / MEGABYTE).toFixed(1)} MB`;
}

/** "WebGPU · 800 × 800 · fp16 · 8.3 ms · 60 fps" */
export function infoText(stats: StatsReport): string {
  if (stats.backend === null) return "";
  const { milliseconds, fps } = stats;
  const parts = [BACKENDS[stats.backend], `${stats.width} × ${stats.height}`, stats.precision];
  if (milliseconds !== null) parts.push(`${milliseconds.toFixed(milliseconds < 100 ? 1 : 0)} ms`);
  if (fps !== null) parts.push(`${fps.toFixed(0)} fps`);
  return parts.join(" · ");
}

export class Hud {
  readonly #root = document.documentElement;
  readonly #bar = element("progress");
  readonly #barText = element("progress-text");
  readonly #info = element("info");
  #infoDue = false;

  /** Name the page and, unless `poster` is null, show that picture until the first frame. */
  open(name: string, poster: URL | null): void {
    element("name").textContent = name;
    document.title = `${name} · Pocketfield`;
    if (poster !== null) element<HTMLImageElement>("poster").src = poster.href;
  }

  /** Bytes received; the poster sharpens as they come in. */
  progress(received: number, total: number): void {
    const fraction = received / total;
    this.#root.style.setProperty("--loaded", fraction.toFixed(3));
    this.#bar.setAttribute("aria-valuenow", String(Math.round(100 * fraction)));
    this.#barText.textContent = fraction < 1 ? progressText(received, total) : "Starting…";
  }

  /** The model has started; the first frame may still take a moment, while shaders are compiled. */
  running({ backend }: Running): void {
    this.#root.dataset["backend"] = backend;
  }

  /** A frame is on the canvas. */
  drawn(report: () => StatsReport): void {
    this.#root.dataset["state"] = "ready";
    if (this.#infoDue) return;
    this.#infoDue = true; // figures that change sixty times a second cannot be read
    window.setTimeout(() => {
      this.#infoDue = false;
      this.#info.textContent = infoText(report());
    }, 250);
  }

  /** Nothing more will come. */
  failed(): void {
    this.#root.dataset["state"] = "failed";
  }

  /** The hint goes away once somebody has found out. */
  touched(): void {
    this.#root.dataset["touched"] = "";
  }
}

/** The buttons in the corner: back to the start, full screen where there is such a thing, help. */
export function attachButtons(reset: () => void): void {
  element("reset").addEventListener("click", reset);
  const help = element<HTMLDialogElement>("help");
  element("help-button").addEventListener("click", () => help.showModal());
  help.addEventListener("click", () => help.close());
  document.addEventListener("keydown", ({ key }) => {
    if (key === "?" && !help.open) help.showModal();
  });
  const full = element("fullscreen");
  full.hidden = !document.fullscreenEnabled;
  full.addEventListener("click", () => {
    const change =
      document.fullscreenElement === null
        ? document.documentElement.requestFullscreen()
        : document.exitFullscreen();
    change.catch(() => (full.hidden = true)); // a page that embeds this one can forbid it
  });
}
