/**
 * The panes on the page: how many, how large, what is written on them. It keeps no state of its own but elements.
 */
import { Divider } from "./divider.mjs";
import { h, tell } from "./dom.mjs";
import { draw } from "./drawing.mjs";
import { attachHands } from "./hands.mjs";
import { arranged } from "./layout.mjs";
import { PaneView } from "./pane.mjs";
import { Tools } from "./tools.mjs";
import { pixelAt, placed, under } from "./view.mjs";
/** @import { Film } from "./film.mjs" */
/** @import { Deeds } from "./hands.mjs" */
/** @import { Pictures } from "./pictures.mjs" */
/** @import { Wishes } from "./tools.mjs" */
/** @import { Mode, PaneData, PanesData } from "./types.d.ts" */
/** @import { Point, Size, View } from "./view.mjs" */

const TALL = 0.8; // of the window: panes are not higher

/** @typedef {Omit<Deeds, "zoom"> & Omit<Wishes, "zoom"> & { zoom: (factor: number, at: Point | null, plain: boolean) => boolean,
 *   split: (split: number) => void, changed: () => void }} Acts */

/** @typedef {object} State
 * @property {PanesData} data
 * @property {Mode} mode
 * @property {readonly [number, number]} pair
 * @property {number} split
 * @property {number} side of the pair, where one is shown after the other
 * @property {View} view
 * @property {Point | null} cross point of a frame
 * @property {Pictures} pictures
 * @property {Film} film
 * @property {boolean | null} turns
 * @property {boolean} alternates
 * @property {boolean} busy */

export class Board {
  /** @type {Acts} */
  #acts;
  /** @type {AbortSignal} */
  #signal;
  #tools;
  #divider;
  #grid = h("div", { className: "grid" });
  #root = h("div", { className: "root" });
  /** @type {PaneView[]} */
  #views = [];
  /** @type {Size} of the first picture */
  picture = { width: 0, height: 0 };
  /** @type {Size} of each pane's frame, in CSS pixels */
  frame = { width: 1, height: 1 };

  /**
   * @param {HTMLElement | ShadowRoot} parent
   * @param {AbortSignal} signal
   * @param {Acts} acts
   */
  constructor(parent, signal, acts) {
    this.#acts = acts;
    this.#signal = signal;
    this.#tools = new Tools({ ...acts, zoom: (factor) => acts.zoom(factor, null, false) });
    this.#divider = new Divider(acts.split);
    this.#root.append(this.#tools.root, this.#grid);
    parent.append(this.#root);
    const observer = new ResizeObserver(acts.changed);
    observer.observe(this.#root);
    signal.addEventListener("abort", () => observer.disconnect());
    window.addEventListener("resize", acts.changed, { signal });
  }

  close() {
    this.#root.remove();
  }

  /** As many panes as there is something to show in, as large as there is room for.
   * @param {PanesData} data @param {Mode} mode */
  arrange(data, mode) {
    const count = mode === "panes" ? data.panes.length : 1;
    while (this.#views.length > count) this.#views.pop()?.root.remove();
    while (this.#views.length < count) this.#add();
    const first = data.panes.find(({ size }) => size !== null)?.size ?? [1, 1];
    this.picture = { width: first[0], height: first[1] };
    const room = {
      width: Math.floor(this.#root.getBoundingClientRect().width),
      height: TALL * window.innerHeight,
    };
    const { columns, frame } = arranged(count, first[0] / first[1], room);
    this.frame = frame;
    this.#grid.style.setProperty("--columns", String(columns));
    for (const view of this.#views) view.resize(frame);
    if (mode === "slider") this.#views[0]?.holder.append(this.#divider.root);
    else this.#divider.root.remove();
  }

  /** @param {State} state */
  draw(state) {
    const { data, mode, pair, side } = state;
    const shown = mode === "slider" ? [...pair] : [Number(pair[side])];
    const dark = isDark(this.#root);
    const cross = state.cross && under(state.cross, placed(state.view, this.picture, this.frame));
    this.#views.forEach((view, k) => {
      const numbers = mode === "panes" ? [k] : shown;
      this.#drawPane(view, numbers, state, cross, dark);
    });
    const titles = data.panes.map(({ title }) => title);
    this.#divider.show(state.split, titles[pair[0]] ?? "", titles[pair[1]] ?? "");
    const { film, busy } = state;
    const zoom = state.view.zoom;
    this.#tools.show({ ...state, titles, zoom, film: film.count > 1 ? film : null });
    tell(this.#root, "data-busy", String(busy));
    tell(this.#root, "data-turns", String(state.turns === true));
    tell(this.#root, "data-whole", String(zoom === 1 && state.turns !== true));
  }

  /** @param {PaneView} view @param {number[]} numbers @param {State} state @param {Point | null} cross @param {boolean} dark */
  #drawPane(view, numbers, state, cross, dark) {
    const { data, pictures, film } = state;
    const panes = numbers.flatMap((n) => data.panes[n] ?? []);
    const names = panes.map(({ frames }) => frames.at(Math.min(film.frame, frames.length - 1)));
    const bitmaps = names.map((name) => pictures.at(name)?.bitmap ?? null);
    const note = panes.map((pane, k) => noteOf(pane, pictures.isMissing(names[k]))).find(Boolean);
    view.label(panes, labelOf(panes, film), note ?? "");
    view.explain(panes.find(({ legend }) => legend !== null)?.legend ?? null);
    draw(view.canvas, {
      ...{ pictures: bitmaps, split: state.split, view: state.view, frame: this.frame },
      ...{ background: data.background, dark, cross },
    });
    const readings = panes.map(({ title }, k) => {
      const size = bitmaps[k] ?? this.picture;
      const at = cross && pixelAt(cross, size);
      return { title, rgba: at && !film.playing ? pictures.pixel(names[k], at) : null };
    });
    view.read(cross && pixelAt(cross, bitmaps[0] ?? this.picture), readings);
  }

  #add() {
    const view = new PaneView();
    attachHands(view.frame, this.#acts, this.#signal);
    this.#views.push(view);
    this.#grid.append(view.root);
  }
}

/** @type {(pane: PaneData, missing: boolean) => string} */
const noteOf = ({ problem }, missing) => problem || (missing ? "the picture cannot be loaded" : "");

/** For those who do not see it.
 * @param {readonly PaneData[]} panes @param {Film} film */
function labelOf(panes, film) {
  const names = panes.map(({ title, caption }) => [title, caption].filter(Boolean).join(", "));
  const frame = film.count > 1 ? `, frame ${film.frame + 1} of ${film.count}` : "";
  const help = "Arrow keys move it, plus and minus zoom, 0 shows the whole picture";
  return `${names.join(" and ")}${frame}. ${help}`;
}

/** Is the text light? The page's theme may be its own, not the system's.
 * @param {Element} element */
function isDark(element) {
  const [r = 0, g = 0, b = 0] = (getComputedStyle(element).color.match(/[\d.]+/g) ?? []).map(
    Number,
  );
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 128;
}
