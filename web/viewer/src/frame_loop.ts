/** A pose that somebody wants to see; another object for each time of asking. */
interface Wish<Pose> {
  readonly pose: Pose;
}

/**
 * One thing at a time on the runtime, and the newest pose wins.
 *
 * ONNX Runtime's WebGPU backend hangs the whole thread for good when `run` is called while another
 * run is in flight, so everything that touches it goes through here. Poses that a newer one
 * overtakes are never rendered; jobs are never dropped.
 */
export class FrameLoop<Pose> {
  #newest: Wish<Pose> | null = null;
  #current: Wish<Pose> | null = null; // being rendered, or rendered last
  #rough: Wish<Pose> | null = null; // the same, where it can be rendered better
  #resting = false;
  #jobs: (() => Promise<void>)[] = [];
  #busy = false;
  #paused = false;
  #stopped = false;

  /**
   * `render` is told whether the pose rests, that is, whether it may take its time, and says
   * whether the frame is as good as it gets. `failed` hears of the first frame that throws; nothing
   * runs after it. `breathe` lets calls in that wait outside: WebAssembly computes without a break,
   * so a worker's messages pile up meanwhile, and each would be taken for the newest.
   */
  constructor(
    private readonly render: (pose: Pose, resting: boolean) => Promise<boolean>,
    private readonly failed: (error: unknown) => void,
    private readonly breathe: (() => Promise<void>) | null = null,
  ) {}

  /** Render `pose` as soon as possible, unless a newer one comes first. */
  show(pose: Pose): void {
    this.#newest = { pose };
    this.#resting = false;
    void this.#pump();
  }

  /** No newer pose will come for a while: the last one is rendered once more where that helps. */
  rest(): void {
    this.#resting = true;
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
    this.#newest = this.#current = this.#rough = null;
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
    for (;;) {
      if (this.breathe !== null) await this.breathe();
      const job = this.#next();
      if (job === null) break;
      await job();
    }
    this.#busy = false;
  }

  #next(): (() => Promise<void>) | null {
    if (this.#stopped) return null;
    const job = this.#jobs.shift();
    if (job !== undefined) return job;
    const due = this.#newest ?? (this.#resting ? this.#rough : null);
    if (this.#paused || due === null) return null;
    this.#current = due;
    this.#newest = this.#rough = null;
    return () => this.#frame(due).catch((error: unknown) => this.#fail(error));
  }

  async #frame(wish: Wish<Pose>): Promise<void> {
    const resting = this.#resting;
    const done = await this.render(wish.pose, resting);
    if (!done && !resting && this.#current === wish) this.#rough = wish;
  }

  #fail(error: unknown, reject: (error: unknown) => void = () => {}): void {
    const first = !this.#stopped;
    this.stop();
    reject(error);
    if (first) this.failed(error);
  }
}
