/**
 * The bar that plays a camera path: play, place, loop, speed; and the path as the camera's leader.
 *
 *     path_file.ts -> path_film.ts -> steering.lead() -> poses
 *     a hand on the picture -> left(): the film stops, the camera is the hand's
 *     #t=seconds: where it stands, for a link
 */
import { element, hasOwnKeys } from "./dom";
import { type Limits, limitsOf } from "./framing";
import type { CameraPose, Manifest } from "./manifest";
import { type CameraPath, fitted } from "./path_file";
import { clockText, Film, isOutside, SPEEDS } from "./path_film";
import type { Leader, Steering } from "./steering";
import { readState, VIEW, writeState } from "./view_state";

/** The place's key in the address. */
const TIME = "t";

export class Player implements Leader {
  readonly #film: Film;
  readonly #limits: Limits;
  readonly #over = new AbortController();
  readonly #bar = element("film");
  readonly #play = element<HTMLButtonElement>("film-play");
  readonly #place = element<HTMLInputElement>("film-place");
  readonly #clock = element("film-clock");
  readonly #loop = element<HTMLButtonElement>("film-loop");
  readonly #speed = element<HTMLSelectElement>("film-speed");
  readonly #outside = element("film-outside");
  #leads = false;

  constructor(
    path: CameraPath,
    { models, envelope, start }: Manifest,
    private readonly steering: Steering,
    private readonly linked: boolean,
    closed: () => void,
  ) {
    const { width, height } = models[0]!;
    this.#film = new Film(fitted(path, width / height));
    this.#limits = limitsOf({ envelope, start });
    this.#show(path.name);
    const { signal } = this.#over;
    this.#play.addEventListener("click", () => this.toggle(), { signal });
    this.#place.addEventListener("input", () => this.#scrub(), { signal });
    this.#place.addEventListener("change", () => this.#note(), { signal });
    this.#loop.addEventListener("click", () => this.#setLoop(!this.#film.loop), { signal });
    this.#speed.addEventListener("change", () => (this.#film.speed = Number(this.#speed.value)), {
      signal,
    });
    element("film-close").addEventListener("click", closed, { signal });
    document.addEventListener("keydown", (event) => this.#key(event), { signal });
    window.addEventListener("hashchange", () => this.#follow(), { signal });
  }

  /** The place that the address asks for, in seconds; null where it asks for none. */
  static asked(): number | null {
    const time = Number(readState().get(TIME) || NaN);
    return Number.isFinite(time) ? time : null;
  }

  /** Whether the camera is where the film has it. */
  get leads(): boolean {
    return this.#leads;
  }

  get pose(): CameraPose {
    return this.#film.pose;
  }

  /** Stand at `time`, in seconds. */
  stand(time: number): void {
    this.#film.seek(time);
    this.#lead();
  }

  play(): void {
    this.#film.play();
    this.#lead();
    writeState(TIME, null);
  }

  toggle(): void {
    if (!this.#film.playing) return this.play();
    this.#film.pause();
    this.#note();
    this.#update();
  }

  advance(seconds: number): boolean {
    const { playing } = this.#film;
    const moves = this.#film.advance(seconds);
    if (playing) this.#update();
    if (playing && !moves) this.#note(); // the end
    return moves;
  }

  left(): void {
    this.#leads = false;
    this.#film.pause();
    writeState(TIME, null);
    this.#update();
  }

  /** The bar goes; the camera stays where it is. */
  close(): void {
    this.#over.abort();
    if (this.#leads) this.steering.leave();
    this.#bar.hidden = true;
    delete document.documentElement.dataset["film"];
  }

  #show(name: string): void {
    const speeds = SPEEDS.map(
      (speed) => new Option(`${speed}×`, String(speed), speed === 1, speed === 1),
    );
    this.#speed.replaceChildren(...speeds);
    this.#place.max = String(this.#film.duration);
    this.#bar.setAttribute("aria-label", `Camera path ${name}`);
    this.#bar.hidden = false;
    document.documentElement.dataset["film"] = "";
    this.#setLoop(this.#film.loop);
    this.#update();
  }

  #lead(): void {
    this.#leads = true;
    this.steering.lead(this);
    this.#update();
  }

  #scrub(): void {
    this.#film.pause();
    this.stand(Number(this.#place.value));
  }

  /** Somebody has put another place into the address. */
  #follow(): void {
    const time = this.linked ? Player.asked() : null;
    if (time === null) return;
    this.#film.pause();
    this.stand(time);
  }

  #setLoop(loop: boolean): void {
    this.#film.loop = loop;
    this.#loop.setAttribute("aria-pressed", String(loop));
  }

  #key(event: KeyboardEvent): void {
    const { key, ctrlKey, metaKey, altKey, repeat, target } = event;
    if (key !== " " || ctrlKey || metaKey || altKey || repeat) return;
    if (hasOwnKeys(target) && target !== this.#place) return;
    if (target instanceof Element && target.closest("button, a")) return; // it is pressed by it
    event.preventDefault();
    this.toggle();
  }

  /** Say in the address where it stands. */
  #note(): void {
    if (!this.linked || this.#film.playing) return;
    writeState(VIEW, null);
    writeState(TIME, String(Number(this.#film.time.toFixed(2))));
  }

  #update(): void {
    const { playing, time, duration } = this.#film;
    const [at, all] = [clockText(time), clockText(duration)];
    this.#play.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.#bar.toggleAttribute("data-playing", playing);
    this.#place.value = String(time);
    this.#place.style.setProperty("--place", `${duration > 0 ? (100 * time) / duration : 0}%`);
    this.#clock.textContent = `${at} / ${all}`;
    this.#place.setAttribute("aria-valuetext", `${at} of ${all}`);
    this.#outside.hidden = !(this.#leads && isOutside(this.#film.pose, this.#limits));
  }
}
