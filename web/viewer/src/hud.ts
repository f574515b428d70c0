/** What stands around the picture: its name, the poster and progress while loading, a line of figures. */
import { element } from "./dom";
import type { Running } from "./protocol";
import type { StatsReport } from "./stats";

const MEGABYTE = 1e6;
const BACKENDS = { webgpu: "WebGPU", wasm: "WebAssembly" } as const;
const SLOW = 5000; // milliseconds

/** "WebGPU" */
export const backendName = (backend: keyof typeof BACKENDS): string => BACKENDS[backend];

/** "12.3 of 34.5 MB · 36 %" */
export function progressText(received: number, total: number): string {
  const percent = Math.floor((100 * received) / total);
  return `${(received / MEGABYTE).toFixed(1)} of ${(total / MEGABYTE).toFixed(1)} MB · ${percent} %`;
}

/** "8.3 ms", "243 ms" */
export const millisecondsText = (milliseconds: number): string =>
  `${milliseconds.toFixed(milliseconds < 100 ? 1 : 0)} ms`;

/** "WebGPU · 800 × 800 · fp16 · 8.3 ms · 60 fps" */
export function infoText(stats: StatsReport): string {
  if (stats.backend === null) return "";
  const { milliseconds, fps } = stats;
  const scale = stats.rendition === "reduced" ? 2 : 1;
  const size = `${stats.width / scale} × ${stats.height / scale}`;
  const parts = [backendName(stats.backend), size, stats.precision];
  if (milliseconds !== null) parts.push(millisecondsText(milliseconds));
  if (fps !== null) parts.push(`${fps.toFixed(0)} fps`);
  return parts.join(" · ");
}

export class Hud {
  readonly #root = document.documentElement;
  readonly #bar = element("progress");
  readonly #barText = element("progress-text");
  readonly #info = element("info");
  readonly #poster = element<HTMLImageElement>("poster");
  #infoDue = false;
  #slow = 0;

  /** Name the page and, unless `poster` is null, show that picture until the first frame. */
  open(name: string, poster: URL | null): void {
    element("name").textContent = name;
    document.title = `${name} · Pocketfield`;
    this.#root.dataset["state"] = "loading";
    delete this.#root.dataset["drawn"];
    delete this.#root.dataset["touched"];
    this.progress(0, 1);
    this.#barText.textContent = "";
    this.#poster.onerror = () => this.#poster.removeAttribute("src"); // better none than a broken one
    if (poster === null) this.#poster.removeAttribute("src");
    else this.#poster.src = poster.href;
  }

  /** Bytes received; the poster sharpens as they come in. */
  progress(received: number, total: number): void {
    const fraction = received / total;
    this.#root.style.setProperty("--loaded", fraction.toFixed(3));
    this.#bar.setAttribute("aria-valuenow", String(Math.round(100 * fraction)));
    this.#say(fraction < 1 ? progressText(received, total) : "Starting…");
    if (fraction < 1) return;
    this.#slow = window.setTimeout(
      () => this.#say("Still starting. Only the first time takes this long."),
      SLOW,
    );
  }

  /** The model has started; the first frame may still take a moment, while shaders are compiled. */
  running({ backend }: Running): void {
    this.#root.dataset["backend"] = backend;
  }

  /** A frame is on the canvas. */
  drawn(report: () => StatsReport): void {
    window.clearTimeout(this.#slow);
    this.#root.dataset["state"] = "ready";
    this.#root.dataset["drawn"] = "";
    if (this.#infoDue) return;
    this.#infoDue = true; // figures that change sixty times a second cannot be read
    window.setTimeout(() => {
      this.#infoDue = false;
      this.#info.textContent = infoText(report());
    }, 250);
  }

  /** Nothing more will come. */
  failed(): void {
    window.clearTimeout(this.#slow);
    this.#root.dataset["state"] = "failed";
  }

  /** The hint goes away once somebody has found out. */
  touched(): void {
    this.#root.dataset["touched"] = "";
  }

  #say(text: string): void {
    window.clearTimeout(this.#slow);
    this.#barText.textContent = text;
  }
}
