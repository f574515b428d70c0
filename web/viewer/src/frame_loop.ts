/**
 * One thing at a time on the runtime, and the newest pose wins.
 *
 * ONNX Runtime's WebGPU backend hangs the whole thread for good when `run` is called while another
 * run is in flight, so everything that touches it goes through here. Poses that a newer one
 * overtakes are never rendered; jobs are never dropped.
 */
export class FrameLoop<Pose> {
  #newest: { readonly pose: Pose } | null = null;
  #jobs: (() => Promise<void>)[] = [];
  #busy = false;
  #paused = false;
  #stopped = false;

  /** `failed` hears of the first frame that throws; nothing runs after it. */
  constructor(
    private readonly render: (pose: Pose) => Promise<void>,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Render `pose` as soon as possible, unless a newer one comes first. */
  show(pose: Pose): void {
    this.#newest = { pose };
    void this.#pump();
  }

  /**
   * Run `job` when nothing else runs and before any pose that waits; it is never dropped, not even
   * while paused.
   */
  enqueue<Result>(job: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#jobs.push(() => job().then(resolve, (error: unknown) => this.#fail(error, reject)));
      void this.#pump();
    });
  }

  /**
   * Like `enqueue`, for a job that draws a newer camera itself: a pose that still waits is
   * overtaken.
   */
  insist<Result>(job: () => Promise<Result>): Promise<Result> {
    this.#newest = null;
    return this.enqueue(job);
  }

  /** While paused no pose is rendered; the newest one is when that ends. */
  pause(paused: boolean): void {
    this.#paused = paused;
    void this.#pump();
  }

  /** Nothing is rendered from now on. */
  stop(): void {
    this.#stopped = true;
  }

  async #pump(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let job = this.#next(); job !== null; job = this.#next()) {
      await job();
      await messages(); // WebAssembly has kept this thread busy: newer poses may be waiting outside
    }
    this.#busy = false;
  }

  #next(): (() => Promise<void>) | null {
    if (this.#stopped) return null;
    const job = this.#jobs.shift();
    if (job !== undefined) return job;
    if (this.#paused || this.#newest === null) return null;
    const { pose } = this.#newest;
    this.#newest = null;
    return () => this.render(pose).catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown, reject: (error: unknown) => void = () => {}): void {
    const first = !this.#stopped;
    this.stop();
    reject(error);
    if (first) this.failed(error);
  }
}

/** Lets the messages be heard that have come already: a message of our own waits behind them. */
function messages(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
