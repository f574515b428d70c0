/**
 * One scene on the page: from its files to the picture, until another one takes its place.
 *
 *     Scene -> stage + viewer (worker) <- poses <- steering
 *                    comparison: a second viewer, which hears the same poses
 */
import { type Backdrop, colourOf, onSchemeChange, paint } from "./backdrop";
import { optionsFor, parseOther } from "./compare";
import { checkProportions, Comparison } from "./comparison";
import { element } from "./dom";
import { forget } from "./drop";
import type { Hud } from "./hud";
import { type Section, sections } from "./info";
import type { CameraPose, Manifest } from "./manifest";
import type { Messages } from "./message";
import { halfSizes } from "./models";
import type { Options } from "./options";
import type { FrameTimes, Look, Picture, Running } from "./protocol";
import type { CameraPath } from "./path_file";
import { Player } from "./path_player";
import { addressOf, loadScene, type Scene } from "./scene";
import { download, fileName, pngOf } from "./screenshot";
import { fetchPicture } from "./self_check";
import { Stage } from "./stage";
import { Steering } from "./steering";
import { partsOf, type TroubleParts } from "./trouble";
import { readState, VIEW } from "./view_state";
import { Viewer } from "./viewer";

/** What a session says to the page. */
export interface SessionListener {
  /** The model runs, or a comparison began or ended: menus may read differently. */
  changed(): void;
  /** There will be no picture. */
  failed(trouble: TroubleParts): void;
}

export class Session {
  /** Resolves with the first frame; rejects where there will be none. */
  readonly ready: Promise<void>;
  running: Running | null = null;
  /** What is compared with, as in `?compare=`. */
  compared: string | null = null;
  readonly #viewer: Viewer;
  readonly #stage: Stage;
  readonly #steering: Steering;
  readonly #over = new AbortController();
  #comparison: Comparison | null = null;
  #player: Player | null = null;
  #comparisons = 0; // that were asked for
  #timed: ((times: FrameTimes) => void) | null = null;
  #look: Look = "colour";
  #backdrop: Backdrop = "auto";
  #paused = false;

  constructor(
    readonly scene: Scene,
    private readonly options: Options,
    asked: CameraPose | null,
    private readonly hud: Hud,
    private readonly messages: Messages,
    private readonly listener: SessionListener,
  ) {
    const { manifest } = scene;
    const elsewhere = asked !== null || readState().has(VIEW);
    hud.open(manifest.name, elsewhere ? null : addressOf(manifest.poster, scene));
    const { promise, resolve, reject } = deferred();
    this.ready = promise;
    const label = `${manifest.name}: a picture to look around in. Arrow keys turn it.`;
    this.#stage = new Stage(element("picture"), manifest, label, (size) =>
      this.#viewer.resize(size),
    );
    this.#viewer = new Viewer(scene, options, this.#stage, {
      progress: (received, total) => hud.progress(received, total),
      running: (running) => this.#runs(running),
      drawn: (times) => {
        this.#timed?.(times);
        this.#timed = null;
        hud.drawn(() => this.#viewer.stats());
        resolve();
      },
      note: (text) => messages.note(text),
      failed: (trouble) => {
        reject(new Error(`${trouble.thing}: ${trouble.given}`));
        this.listener.failed(trouble);
      },
    });
    const { rotate } = options;
    this.#steering = new Steering(
      manifest,
      { pose: asked, rotate },
      {
        moved: (pose) => this.#moved(pose),
        rested: () => this.#rested(),
        touched: () => hud.touched(),
        depthAt: (x, y) => this.#viewer.depthAt(x, y),
      },
    );
    void promise.then(
      () => this.#steering.start(),
      () => {},
    );
    onSchemeChange(() => paint(this.#backdrop, manifest), this.#over.signal);
    paint(this.#backdrop, manifest);
    this.#pauseWhileUnseen();
  }

  get manifest(): Manifest {
    return this.scene.manifest;
  }

  get camera(): CameraPose {
    return this.#steering.camera;
  }

  get look(): Look {
    return this.#look;
  }

  setLook(look: Look): void {
    this.#look = look;
    this.#viewer.look(look);
    this.#comparison?.look(look);
  }

  get backdrop(): Backdrop {
    return this.#backdrop;
  }

  setBackdrop(backdrop: Backdrop): void {
    this.#backdrop = backdrop;
    paint(backdrop, this.manifest);
  }

  stats(): ReturnType<Viewer["stats"]> {
    return this.#viewer.stats();
  }

  /** What is known of scene and model, for the panel. */
  get facts(): { readonly name: string; readonly found: readonly Section[] } {
    const found = sections(this.manifest, this.running, this.stats());
    return { name: this.manifest.name, found };
  }

  capture(pose: CameraPose): Promise<Picture> {
    return this.#viewer.capture(pose);
  }

  depthAt(x: number, y: number): Promise<number | null> {
    return this.#viewer.depthAt(x, y);
  }

  /** Draw this camera as one of many, and say what it cost. */
  time(pose: CameraPose): Promise<FrameTimes> {
    return new Promise((resolve) => {
      this.#timed = resolve;
      this.#viewer.show(pose);
    });
  }

  /** Torch's picture of the k-th reference camera; null where it cannot be had. */
  reference(k: number): Promise<Picture | null> {
    const { image } = this.manifest.references[k]!;
    return fetchPicture(addressOf(image, this.scene).href);
  }

  reset(): void {
    this.#steering.reset();
  }

  /** Save what is seen, at the model's size, and say so. */
  async save(): Promise<void> {
    const picture = await this.capture(this.camera);
    const colour = colourOf(this.#backdrop, this.manifest.background) ?? this.manifest.background;
    const clear = this.#backdrop === "transparent";
    const name = fileName(this.manifest.name);
    download(await pngOf(picture, clear ? null : colour), name);
    const how = clear ? ", with its transparency" : "";
    this.messages.note(`Saved ${name}, ${picture.width} × ${picture.height} pixels${how}.`);
  }

  /** Show `asked` (as in `?compare=`) beside this; null: only this again. */
  async compare(asked: string | null): Promise<void> {
    this.#endComparison();
    const turn = ++this.#comparisons;
    if (asked === null) return this.listener.changed();
    const other = parseOther(asked);
    const failed = (trouble: TroubleParts): void => {
      this.#endComparison();
      this.listener.changed();
      this.messages.error(trouble, "action");
    };
    try {
      const page = new URL(location.href);
      const scene = other.kind === "scene" ? await loadScene(other.path, page) : this.scene;
      if (turn !== this.#comparisons) return; // meanwhile somebody has chosen another
      checkProportions(this.scene, scene);
      const options = optionsFor(other, this.options);
      if (options.half) halfSizes(scene.manifest.models); // throws before anything is begun
      const note = (text: string): void => this.messages.note(text);
      const first = { ...this.scene, running: this.running };
      this.#comparison = new Comparison(scene, options, first, failed, note);
    } catch (error) {
      return failed(partsOf(error, "comparing"));
    }
    this.compared = asked;
    this.#comparison.look(this.#look);
    this.#comparison.pause(this.#paused);
    this.#comparison.show(this.camera);
    this.listener.changed();
  }

  /**
   * Play `path` in the last one's place, from the place that the address asks for. `linked`: a link
   * can lead to it.
   */
  play(path: CameraPath, linked: boolean): void {
    this.#player?.close();
    const player = new Player(path, this.manifest, this.#steering, linked, () =>
      this.#closePlayer(),
    );
    this.#player = player;
    const place = linked ? Player.asked() : null;
    if (linked && readState().has(VIEW)) return; // a camera beside it, where somebody has left it
    player.stand(place ?? 0);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (place !== null || calm) return;
    void this.ready.then(
      () => this.#player === player && player.leads && player.play(),
      () => {},
    );
  }

  #closePlayer(): void {
    this.#player?.close();
    this.#player = null;
  }

  /** End every worker and forget every listener: another scene comes. */
  close(): void {
    this.#over.abort();
    this.#comparisons++;
    this.#endComparison();
    this.#closePlayer();
    this.#viewer.close();
    this.#stage.close();
    this.#steering.close();
    forget(this.scene);
  }

  #runs(running: Running): void {
    this.running = running;
    this.hud.running(running);
    this.#comparison?.firstIs(this.manifest, running);
    this.listener.changed();
  }

  #moved(pose: CameraPose): void {
    this.#viewer.show(pose);
    this.#comparison?.show(pose);
  }

  #rested(): void {
    this.#viewer.rest();
    this.#comparison?.rest();
  }

  #endComparison(): void {
    this.#comparison?.close();
    this.#comparison = null;
    this.compared = null;
  }

  /** No frame is drawn while the page is hidden or scrolled out of sight. */
  #pauseWhileUnseen(): void {
    const { signal } = this.#over;
    let onScreen = true;
    const update = (): void => {
      this.#paused = document.hidden || !onScreen;
      this.#viewer.pause(this.#paused);
      this.#comparison?.pause(this.#paused);
    };
    document.addEventListener("visibilitychange", update, { signal });
    const observer = new IntersectionObserver(([entry]) => {
      onScreen = entry?.isIntersecting ?? true;
      update();
    });
    observer.observe(element("picture"));
    signal.addEventListener("abort", () => observer.disconnect());
  }
}

function deferred(): {
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: Error) => void;
} {
  let resolve = (): void => {};
  let reject = (_: Error): void => {};
  const promise = new Promise<void>((yes, no) => ([resolve, reject] = [yes, no]));
  promise.catch(() => {}); // whoever waits hears of it; the page itself has said so already
  return { promise, resolve, reject };
}
