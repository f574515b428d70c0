/**
 * The panes of one place in the page: what Python sent, what hands did since, and what is therefore on the screen.
 *
 *     data --(its pictures are decoded)--> shown; until then the older ones stay: nothing flickers
 *     hands, buttons -> state -> one draw per animation frame
 */
import { Board } from "./board.mjs";
import { Film } from "./film.mjs";
import { Pictures } from "./pictures.mjs";
import { Steering } from "./steering.mjs";
import { limited, panned, WHOLE, zoomedAt } from "./view.mjs";
/** @import { Mode, PanesData } from "./types.d.ts" */
/** @import { Point, View } from "./view.mjs" */

const AHEAD = 12; // frames of a film that are decoded before they are due
const ALTERNATE = 0.6; // seconds that each of two pictures is shown for
const MOVE = 0.05; // seconds: a film is never owed more than this after a pause of the page

/** @typedef {object} Kept what outlives the component's removal from the page
 * @property {View} view
 * @property {Mode} mode
 * @property {number} split
 * @property {readonly [number, number]} pair
 * @property {number} frame */

/** @type {Map<string, Kept>} by key */
const kept = new Map();

export class App {
  #board;
  #pictures = new Pictures();
  #film = new Film(1, 24);
  #over = new AbortController();
  #calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  /** @type {PanesData | null} on the screen */
  #data = null;
  /** @type {PanesData | null} the newest; its pictures may still be on their way */
  #coming = null;
  /** @type {(orbit: unknown) => void} */
  #send = () => undefined;
  /** @type {Steering | null} */
  #steering = null;
  #held = false;
  /** @type {View} */
  #view = WHOLE;
  /** @type {Mode} */
  #mode = "panes";
  /** @type {readonly [number, number]} */
  #pair = [0, 1];
  #split = 0.5;
  #side = 0;
  #alternates = !this.#calm;
  #sideSince = 0;
  /** @type {Point | null} */
  #cross = null;
  #due = 0;
  #before = 0;

  /** @param {HTMLElement | ShadowRoot} parent */
  constructor(parent) {
    this.#board = new Board(parent, this.#over.signal, {
      changed: () => this.#redraw(),
      zoom: (factor, at, plain) => this.#zoom(factor, at, plain),
      drag: (dx, dy, picture) => this.#drag(dx, dy, picture),
      look: (at) => this.#set(() => (this.#cross = at)),
      reset: () => this.#set(() => (this.#view = WHOLE)),
      hold: (holding) => (this.#held = holding),
      key: (event) => this.#key(event),
      mode: (mode) => this.#set(() => this.#setMode(mode)),
      pick: (side, pane) => this.#set(() => this.#pick(side, pane)),
      split: (split) => this.#set(() => (this.#split = split)),
      turn: () => this.#set(() => this.#steering && (this.#steering.turns = !this.#steering.turns)),
      alternate: () => this.#set(() => (this.#alternates = !this.#alternates)),
      play: () => this.#set(() => (this.#film.playing = !this.#film.playing)),
      seek: (frame) => this.#set(() => this.#film.seek(frame)),
    });
  }

  /**
   * Python has sent this.
   * @param {PanesData} data
   * @param {(orbit: unknown) => void} send
   */
  update(data, send) {
    this.#send = send;
    if (isSame(data, this.#coming)) return this.#redraw();
    if (this.#data === null) this.#recall(data);
    else if (String(data.slider) !== String(this.#coming?.slider)) this.#ask(data.slider);
    this.#coming = data;
    this.#pictures.keep(files([data, this.#data]));
    if (this.#data === null) this.#show(data);
    void this.#load(data);
  }

  close() {
    this.#over.abort();
    cancelAnimationFrame(this.#due);
    this.#pictures.close();
    this.#board.close();
  }

  /** @param {PanesData} data */
  async #load(data) {
    await this.#pictures.want(framesAt(data, this.#film.frame));
    if (this.#coming !== data || this.#over.signal.aborted) return;
    this.#show(data);
    this.#pictures.keep(files([data]));
    if (data.steer !== null) this.#steering?.answered(data.steer, data.reach, this.#held);
    this.#redraw();
  }

  /** @param {PanesData} data */
  #show(data) {
    this.#data = data;
    this.#film.replace(Math.max(...data.panes.map(({ frames }) => frames.length)), data.fps);
    this.#pair = pairWithin(this.#pair, data.panes.length);
    if (data.panes.length < 2) this.#mode = "panes";
    if (data.steer === null) this.#steering = null;
    else this.#steering ??= new Steering(data.steer, data.reach, (orbit) => this.#send(orbit));
    this.#redraw();
  }

  /** @param {PanesData} data */
  #recall(data) {
    const found = kept.get(data.key);
    this.#ask(data.slider);
    if (found === undefined) return;
    ({ view: this.#view, mode: this.#mode, split: this.#split, pair: this.#pair } = found);
    this.#film.replace(found.frame + 1, 1);
    this.#film.seek(found.frame);
  }

  /** The page asks for a divider between two panes, or for none.
   * @param {PanesData["slider"]} slider */
  #ask(slider) {
    this.#mode = slider === null ? "panes" : "slider";
    if (slider !== null) this.#pair = slider;
  }

  /** @param {Mode} mode */
  #setMode(mode) {
    if ((this.#data?.panes.length ?? 0) < 2) return;
    this.#mode = mode;
    this.#side = 0;
    this.#sideSince = performance.now();
  }

  /** The other picture gives way where it would be the same one.
   * @param {0 | 1} side
   * @param {number} pane */
  #pick(side, pane) {
    const other = this.#pair[1 - side] === pane ? this.#pair[side] : this.#pair[1 - side];
    this.#pair = side === 0 ? [pane, Number(other)] : [Number(other), pane];
  }

  /** @param {number} factor @param {Point | null} at @param {boolean} plain */
  #zoom(factor, at, plain) {
    if (plain && this.#steering?.turns) {
      this.#set(() => this.#steering?.approach(factor));
      return true;
    }
    const before = this.#view;
    const [picture, frame] = [this.#board.picture, this.#board.frame];
    const point = at ?? { x: frame.width / 2, y: frame.height / 2 };
    this.#set(() => (this.#view = zoomedAt(before, factor, point, picture, frame)));
    return this.#view.zoom !== before.zoom;
  }

  /** @param {number} dx @param {number} dy @param {boolean} moves */
  #drag(dx, dy, moves) {
    const [picture, frame] = [this.#board.picture, this.#board.frame];
    this.#set(() => {
      if (!moves && this.#steering?.turns) {
        const height = Math.max(frame.height, 1);
        this.#steering.turn(dx / height, dy / height);
      } else this.#view = panned(this.#view, dx, dy, picture, frame);
    });
  }

  /** @param {KeyboardEvent} event */
  #key({ key, shiftKey }) {
    const film = this.#film;
    if (key === "f" || key === "F") {
      this.#set(() => this.#setMode(this.#mode === "flicker" ? "panes" : "flicker"));
    } else if (key === "s" || key === "S") {
      this.#set(() => this.#setMode(this.#mode === "slider" ? "panes" : "slider"));
    } else if (key === "p" || key === "P") this.#set(() => this.#setMode("panes"));
    else if (key === " " && film.count > 1) this.#set(() => (film.playing = !film.playing));
    else if (key === " " && this.#mode === "flicker") {
      this.#set(() => (this.#alternates = !this.#alternates));
    } else if ((key === "," || key === ".") && film.count > 1) {
      this.#set(() => film.step(key === "," ? -1 : 1));
    } else if (this.#steering?.turns && !shiftKey && (key === "PageUp" || key === "PageDown")) {
      this.#zoom(key === "PageUp" ? 1.1 : 1 / 1.1, null, true);
    } else return false;
    return true;
  }

  /** @param {() => unknown} change */
  #set(change) {
    change();
    if (this.#data !== null) {
      const [view, mode, split, pair] = [this.#view, this.#mode, this.#split, this.#pair];
      kept.set(this.#data.key, { view, mode, split, pair, frame: this.#film.frame });
    }
    this.#redraw();
  }

  #redraw() {
    if (this.#over.signal.aborted || this.#due !== 0) return;
    this.#due = requestAnimationFrame((now) => this.#tick(now));
  }

  /** @param {number} now */
  #tick(now) {
    this.#due = 0;
    const data = this.#data;
    if (data === null || this.#over.signal.aborted) return;
    const seconds = Math.min(Math.max((now - this.#before) / 1000, 0), MOVE);
    this.#before = now;
    const settled = (/** @type {number} */ frame) =>
      framesAt(data, frame).every((name) => this.#pictures.isSettled(name));
    this.#film.advance(seconds, settled);
    this.#lookAhead(data);
    this.#alternate(now);
    this.#draw(data);
    if (this.#film.playing || (this.#mode === "flicker" && this.#alternates)) this.#redraw();
  }

  /** @param {PanesData} data */
  #lookAhead(data) {
    const { frame, count } = this.#film;
    const soon = Array.from({ length: Math.min(AHEAD, count) }, (_, k) => (frame + k) % count);
    const wanted = soon.flatMap((number) => framesAt(data, number));
    const now = framesAt(data, frame);
    const late = now.some((name) => !this.#pictures.isSettled(name));
    void this.#pictures.want(wanted);
    if (late) void this.#pictures.want(now).then(() => this.#redraw());
  }

  /** @param {number} now */
  #alternate(now) {
    if (this.#mode !== "flicker" || !this.#alternates) return;
    if (now - this.#sideSince < 1000 * ALTERNATE) return;
    [this.#side, this.#sideSince] = [1 - this.#side, now];
  }

  /** @param {PanesData} data */
  #draw(data) {
    this.#board.arrange(data, this.#mode);
    this.#view = limited(this.#view, this.#board.picture, this.#board.frame);
    this.#board.draw({
      data,
      mode: this.#mode,
      pair: this.#pair,
      split: this.#split,
      side: this.#side,
      view: this.#view,
      cross: this.#held && this.#steering?.turns ? null : this.#cross,
      pictures: this.#pictures,
      film: this.#film,
      turns: this.#steering?.turns ?? null,
      alternates: this.#alternates,
      busy: this.#steering?.behind === true,
    });
  }
}

/** The pair, if there are such panes; else the first two.
 * @type {(pair: readonly [number, number], count: number) => readonly [number, number]} */
const pairWithin = (pair, count) => (Math.max(...pair) < count ? pair : [0, 1]);

/** Names and addresses of all frames, in the order in which they will be shown.
 * @param {readonly (PanesData | null)[]} shown @returns {Map<string, string>} */
function files(shown) {
  const found = new Map();
  for (const data of shown) {
    const films = (data?.panes ?? []).map(({ frames }) => frames);
    const longest = Math.max(0, ...films.map(({ length }) => length));
    for (let k = 0; k < longest; k++) {
      for (const name of films.flatMap((film) => film[k] ?? [])) found.set(name, data?.files[name]);
    }
  }
  return found;
}

/** @param {PanesData} data @param {PanesData | null} other */
function isSame(data, other) {
  return JSON.stringify({ ...data, files: {} }) === JSON.stringify({ ...other, files: {} });
}

/** What each pane shows as its film's `frame`; a shorter film rests on its last one.
 * @param {PanesData} data @param {number} frame */
const framesAt = (data, frame) =>
  data.panes.flatMap(({ frames }) => frames.at(Math.min(frame, frames.length - 1)) ?? []);
