/**
 * The page's side of the worker: keeps one running, whatever happens to it.
 *
 *     show(pose), capture(pose) -> worker -> drawn, captured, or failed
 *     failed --recovery.ts--> the next worker, or the error
 *
 * A canvas can be handed to one worker only, so every worker gets a new one; poses and captures
 * that a failed worker left open go to the next.
 */
import type { Request } from "./device";
import type { CameraPose, Manifest } from "./manifest";
import { allSizes, halfSizes } from "./models";
import type { Options } from "./options";
import type {
  FrameTimes,
  FromWorker,
  Look,
  Picture,
  Running,
  Size,
  Start,
  ToWorker,
  Truth,
} from "./protocol";
import { ANYTHING, recover } from "./recovery";
import { addressOf, type Scene } from "./scene";
import { Stats, type StatsReport } from "./stats";
import { causeOf, type TroubleParts } from "./trouble";

/** Where a viewer draws: gives a new canvas to each worker. */
export interface Surface {
  renew(): { readonly canvas: OffscreenCanvas; readonly size: Size };
}

/** What a viewer tells the page. */
export interface Listener {
  progress(received: number, total: number): void;
  running(running: Running): void;
  drawn(times: FrameTimes): void;
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
  #ruled = ANYTHING;
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
    const { base, dropped } = this.scene;
    const { models, envelope, start } = this.manifest;
    const { half, threads, nocache, fps, verbose, timings } = this.options;
    const message: Start = {
      kind: "start",
      canvas,
      size,
      place: { base, dropped },
      envelope,
      models: half ? halfSizes(models) : allSizes(models),
      request: this.#request,
      truth: { camera: start, ...this.#truth },
      threads,
      nocache,
      fps,
      verbose,
      timings,
    };
    this.#post(message, [canvas]);
    if (this.#paused) this.#post({ kind: "pause", paused: true });
    if (this.#look !== "colour") this.#post({ kind: "look", look: this.#look });
    if (this.#pose !== null) this.#post({ kind: "show", pose: this.#pose });
    for (const [id, { pose }] of this.#captures) this.#post({ kind: "capture", id, pose });
  }

  /** Torch's picture of the start camera in both sizes: the first reference is that camera. */
  get #truth(): Pick<Truth, "image" | "reduced"> {
    const { poster, references } = this.manifest;
    const reduced = references[0]?.reduced ?? null;
    return {
      image: addressOf(poster, this.scene).href,
      reduced: reduced === null ? null : addressOf(reduced.file, this.scene).href,
    };
  }

  /** What the address asks for, as far as no failure has led elsewhere. */
  get #request(): Request {
    const { backend, precision, form } = this.options;
    const { wasmOnly, model } = this.#ruled;
    const open = model === null;
    return {
      backend: wasmOnly ? "wasm" : backend,
      precision: open ? precision : null,
      form: open ? form : null,
      model,
    };
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
        this.#stats.drawn(performance.now(), message.times, message.stages, message.rendition);
        this.listener.drawn(message.times);
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
    const running = this.#stats.running;
    this.#recover({
      kind: "failed",
      phase: this.#runningSince < Infinity ? "run" : "load",
      cause: causeOf(event.message),
      backend: running?.backend ?? null,
      model: running?.model ?? null,
      models: [],
      trouble,
    });
  }

  #recover(failure: Extract<FromWorker, { kind: "failed" }>): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#answerProbes();
    const healthySeconds = Math.max(0, (performance.now() - this.#runningSince) / 1000);
    const step = recover({
      ...failure,
      text: failure.trouble.given,
      ruled: this.#ruled,
      restarts: this.#restarts,
      healthySeconds,
    });
    if (step.kind === "give up") return this.#giveUp(failure.trouble);
    console.warn(`${failure.trouble.thing}: ${failure.trouble.given}`);
    this.#restarts = step.restarts;
    this.#ruled = step.ruled;
    this.listener.note(step.note);
    this.#start();
  }

  #giveUp(trouble: TroubleParts): void {
    this.#failCaptures(`${trouble.thing}: ${trouble.given}`);
    this.listener.failed(trouble);
  }
}
