/** The row of buttons above the panes. */
import { h, say, tell } from "./dom.mjs";
/** @import { Mode } from "./types.d.ts" */

/**
 * What the buttons do.
 * @typedef {object} Wishes
 * @property {(mode: Mode) => void} mode
 * @property {(side: 0 | 1, pane: number) => void} pick
 * @property {(factor: number) => void} zoom
 * @property {() => void} reset
 * @property {() => void} turn
 * @property {() => void} alternate
 * @property {() => void} play
 * @property {(frame: number) => void} seek
 */

/**
 * What the row shows.
 * @typedef {object} Status
 * @property {Mode} mode
 * @property {readonly string[]} titles
 * @property {readonly [number, number]} pair
 * @property {number} zoom
 * @property {boolean | null} turns a drag turns the camera; null: there is none to turn
 * @property {boolean} alternates
 * @property {{ frame: number, count: number, fps: number, playing: boolean } | null} film
 * @property {boolean} busy
 */

const MODES = /** @type {const} */ ([
  ["panes", "Side by side", "All panes beside each other (P)"],
  ["slider", "Slider", "Two panes in one frame, with a divider (S)"],
  ["flicker", "Flicker", "Two panes in one frame, one after the other (F)"],
]);

export class Tools {
  #modes = MODES.map(([mode, text, title]) =>
    h("button", { type: "button", title, onclick: () => this.wishes.mode(mode) }, [text]),
  );
  #picks = /** @type {const} */ ([0, 1]).map((side) =>
    h("select", {
      "aria-label": side === 0 ? "First picture" : "Second picture",
      onchange: () => this.wishes.pick(side, this.#picks[side]?.selectedIndex ?? 0),
    }),
  );
  #alternate = button("Pause", "Alternate, or stay (Space)", () => this.wishes.alternate());
  #modeGroup = group("Layout", this.#modes);
  #pair = group("Pictures", [
    this.#picks[0],
    h("span", { className: "versus" }, ["|"]),
    this.#picks[1],
    this.#alternate,
  ]);
  #zoom = h("span", { className: "figure" });
  #out = button("−", "Smaller (−)", () => this.wishes.zoom(1 / 1.5));
  #in = button("+", "Larger (+)", () => this.wishes.zoom(1.5));
  #reset = button("Fit", "Whole picture (0, double click)", () => this.wishes.reset());
  #turn = button(
    "Turn",
    "A drag turns the camera; Shift or the right button moves the picture",
    () => this.wishes.turn(),
  );
  #play = button("▶", "Play (Space)", () => this.wishes.play());
  #scrub = h("input", {
    type: "range",
    min: "0",
    "aria-label": "Frame",
    oninput: () => this.wishes.seek(Number(this.#scrub.value)),
  });
  #time = h("span", { className: "figure" });
  #film = group("Film", [this.#play, this.#scrub, this.#time]);
  #busy = h("span", { className: "busy", role: "status" });
  root = h("div", { className: "tools" }, [
    this.#modeGroup,
    this.#pair,
    group("Zoom", [this.#out, this.#zoom, this.#in, this.#reset, this.#turn]),
    this.#film,
    this.#busy,
  ]);
  #titles = "";

  /** @param {Wishes} wishes */
  constructor(wishes) {
    this.wishes = wishes;
    this.#film.classList.add("film");
    this.root.setAttribute("aria-label", "Panes");
    this.root.setAttribute("role", "group");
  }

  /** @param {Status} status */
  show(status) {
    const { mode, titles, pair, turns, film } = status;
    this.#modes.forEach((one, k) => tell(one, "aria-pressed", String(MODES[k]?.[0] === mode)));
    this.#modeGroup.hidden = titles.length < 2;
    this.#pair.hidden = mode === "panes";
    this.#alternate.hidden = mode !== "flicker";
    say(this.#alternate, status.alternates ? "Pause" : "Alternate");
    this.#showPair(titles, pair);
    say(this.#zoom, `×${status.zoom < 9.95 ? status.zoom.toFixed(1) : status.zoom.toFixed(0)}`);
    this.#turn.hidden = turns === null;
    tell(this.#turn, "aria-pressed", String(turns === true));
    this.#film.hidden = film === null;
    if (film !== null) this.#showFilm(film);
    say(this.#busy, status.busy ? "rendering…" : "");
  }

  /** @type {(titles: readonly string[], pair: readonly [number, number]) => void} */
  #showPair(titles, pair) {
    const together = titles.join("\n");
    this.#picks.forEach((pick, side) => {
      if (together !== this.#titles) {
        pick.replaceChildren(...titles.map((title) => h("option", {}, [title])));
      }
      pick.selectedIndex = pair[side] ?? 0;
    });
    this.#titles = together;
  }

  /** @param {NonNullable<Status["film"]>} film */
  #showFilm({ frame, count, fps, playing }) {
    say(this.#play, playing ? "❚❚" : "▶");
    tell(this.#play, "aria-label", playing ? "Pause" : "Play");
    this.#scrub.max = String(count - 1);
    this.#scrub.value = String(frame);
    tell(this.#scrub, "aria-valuetext", `frame ${frame + 1} of ${count}`);
    say(this.#time, `${frame + 1} / ${count} · ${Number(fps.toFixed(1))} fps`);
  }
}

/** @type {(text: string, title: string, onclick: () => void) => HTMLButtonElement} */
const button = (text, title, onclick) =>
  h("button", { type: "button", title, "aria-label": title.replace(/ \(.*\)$/, ""), onclick }, [
    text,
  ]);

/** @type {(label: string, children: readonly (Node | undefined)[]) => HTMLDivElement} */
const group = (label, children) =>
  h(
    "div",
    { className: "group", role: "group", "aria-label": label },
    children.filter((c) => c !== undefined),
  );
