/**
 * The page's side of the worker: keeps one running, whatever happens to it.
 *
 *     show(pose), capture(pose) -> worker -> drawn, captured, or failed
 *     failed --recovery.ts--> the next worker, or the error
 *
 * A canvas can be handed to one worker only, so every worker gets a new one; poses and captures
 * that a failed worker left open go to the next.
 */
import type { CameraPose, Manifest } from "./manifest";
import type { Options } from "./options";
import type { FromWorker, Look, Picture, Running, Size, ToWorker } from "./protocol";
import { recover } from "./recovery";
import type { Scene } from "./scene";
import { Stats, type StatsReport } from "./stats";
import type { TroubleParts } from "./trouble";

/** Where a viewer draws: gives a new canvas to each worker. */
export interface Surface {
  renew(): { readonly canvas: OffscreenCanvas; readonly size: Size };
}

/** What a viewer tells the page. */
export interface Listener {
  progress(received: number, total: number): void;
  running(running: Running): void;
  drawn(): void;
  note(text: string): void;
  failed(trouble: TroubleParts): void;
}

interface OpenCapture {
  readonly pose: CameraPose;
  resolve(picture: Picture): void;
  reject(error: Error): void;
}

export class Viewer {
  #worker: Worker | null = null;
  #restarts = 0;
  #wasmOnly = false;
  #runningSince = Infinity;
  #pose: CameraPose | null = null;
  #captures = new Map<number, OpenCapture>();
  #probes = new Map<number, (depth: number | null) => void>();
  #questionCount = 0;
  #look: Look = "colour";
  #paused = false;
  readonly #stats = new Stats();

  constructor(
    private readonly scene: Scene,
    private readonly options: Options,
    private readonly surface: Surface,
    private readonly listener: Listener,
  ) {
    this.#start();
  }

  get manifest(): Manifest {
    return this.scene.manifest;
  }

  /** Draw this camera as soon as possible; a newer one overtakes it. */
  show(pose: CameraPose): void {
    this.#pose = pose;
    this.#post({ kind: "show", pose });
  }

  /** The last camera stays for a while: it may be drawn once more, better. */
  rest(): void {
    this.#post({ kind: "rest" });
  }

  /** Show the picture, or its depth, from now on. */
  look(look: Look): void {
    this.#look = look;
    this.#post({ kind: "look", look });
  }

  /**
   * How far away is what the last frame shows at (x, y), as fractions of its width and height?
   * In norm units along the unit ray; null where nothing is.
   */
  depthAt(x: number, y: number): Promise<number | null> {
    if (this.#worker === null) return Promise.resolve(null);
    const id = this.#questionCount++;
    return new Promise((resolve) => {
      this.#probes.set(id, resolve);
      this.#post({ kind: "probe", id, x, y });
    });
  }

  /** Draw this camera and hand back the picture: in colour, whatever is looked at. */
  capture(pose: CameraPose): Promise<Picture> {
    if (this.#worker === null) return Promise.reject(new Error("nothing is drawn any more"));
    const id = this.#questionCount++;
    return new Promise((resolve, reject) => {
      this.#captures.set(id, { pose, resolve, reject });
      this.#post({ kind: "capture", id, pose });
    });
  }

  /** The drawing surface has another size now. */
  resize(size: Size): void {
    this.#post({ kind: "resize", size });
  }

  /** Draw nothing until further notice: the page is hidden. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.#post({ kind: "pause", paused });
  }

  /** What runs, and how fast. */
  stats(): StatsReport {
    return this.#stats.report();
  }

  /** Draw no more, and free what the worker holds; open captures fail, open probes answer null. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#answerProbes();
    this.#failCaptures("the picture was closed");
  }

  #answerProbes(): void {
    for (const answer of this.#probes.values()) answer(null);
    this.#probes.clear();
  }

  #failCaptures(reason: string): void {
    for (const { reject } of this.#captures.values()) reject(new Error(reason));
    this.#captures.clear();
  }

  #post(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker?.postMessage(message, transfer);
  }

  #start(): void {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    this.#worker = worker;
    this.#runningSince = Infinity;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#hear(data);
    worker.onerror = (event) => this.#crashed(event);
    const { canvas, size } = this.surface.renew();
    const { backend, precision, form, verbose, timings } = this.options;
    const preference = { backend: this.#wasmOnly ? ("wasm" as const) : backend, precision, form };
    const { models, envelope } = this.manifest;
    const { base, dropped } = this.scene;
    const place = { base, dropped };
    this.#post(
      { kind: "start", canvas, size, place, models, envelope, preference, verbose, timings },
      [canvas],
    );
    if (this.#paused) this.#post({ kind: "pause", paused: true });
    if (this.#look !== "colour") this.#post({ kind: "look", look: this.#look });
    if (this.#pose !== null) this.#post({ kind: "show", pose: this.#pose });
    for (const [id, { pose }] of this.#captures) this.#post({ kind: "capture", id, pose });
  }

  #hear(message: FromWorker): void {
    switch (message.kind) {
      case "progress":
        this.listener.progress(message.received, message.total);
        break;
      case "running":
        this.#runningSince = performance.now();
        this.#stats.started(message.running);
        this.listener.running(message.running);
        break;
      case "drawn":
        this.#stats.drawn(performance.now(), message.times, message.stages);
        this.listener.drawn();
        break;
      case "captured":
        this.#captures.get(message.id)?.resolve(message.picture);
        this.#captures.delete(message.id);
        break;
      case "probed":
        this.#probes.get(message.id)?.(message.depth);
        this.#probes.delete(message.id);
        break;
      case "note":
        this.listener.note(message.text);
        break;
      case "failed":
        this.#recover(message);
    }
  }

  #crashed(event: ErrorEvent): void {
    const trouble = {
      thing: "the drawing worker",
      given: event.message || "its script did not load",
      expected: "a module worker (Chrome 113, Firefox 114, Safari 17 or later)",
      remedy: "check that the whole folder was copied to the host, or try a newer browser",
    };
    const phase = this.#runningSince < Infinity ? "run" : "load";
    this.#recover({ kind: "failed", phase, backend: this.stats().backend, trouble });
  }

  #recover(failure: Extract<FromWorker, { kind: "failed" }>): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#answerProbes();
    const healthySeconds = Math.max(0, (performance.now() - this.#runningSince) / 1000);
    const step = recover({ ...failure, restarts: this.#restarts, healthySeconds });
    if (step.kind === "give up") return this.#giveUp(failure.trouble);
    console.warn(`${failure.trouble.thing}: ${failure.trouble.given}`);
    this.#restarts = step.restarts;
    this.#wasmOnly ||= step.wasmOnly;
    this.listener.note(step.note);
    this.#start();
  }

  #giveUp(trouble: TroubleParts): void {
    this.#failCaptures(`${trouble.thing}: ${trouble.given}`);
    this.listener.failed(trouble);
  }
}
