/** One pane: title, frame with the picture, read-out, caption, colour bar. */
import { h, say, tell } from "./dom.mjs";
import { legendBar } from "./legend.mjs";
/** @import { LegendData } from "./types.d.ts" */
/** @import { Size } from "./view.mjs" */

/** @typedef {{ readonly title: string, readonly rgba: readonly number[] | null }} Reading */

export class PaneView {
  canvas = h("canvas", { "aria-hidden": "true" });
  #note = h("p", { className: "note" });
  frame = h("div", { className: "frame", role: "img", tabIndex: 0 }, [this.canvas, this.#note]);
  #heads = h("figcaption", {});
  #reading = h("div", { className: "reading", "aria-hidden": "true" });
  #legend = h("div", { className: "legend" });
  /** @type {LegendData | null | undefined} */
  #shown = undefined;
  /** Frame and what lies on it. */
  holder = h("div", { className: "holder" }, [this.frame]);
  root = h("figure", { className: "pane" }, [
    this.#heads,
    this.holder,
    this.#reading,
    this.#legend,
  ]);

  /** @param {Size} frame in CSS pixels */
  resize({ width, height }) {
    this.root.style.width = `${width}px`;
    this.frame.style.height = `${height}px`;
  }

  /**
   * @param {readonly { title: string, caption: string }[]} panes one, or two: to the left and to the right
   * @param {string} label for those who do not see it
   * @param {string} note in place of a picture
   */
  label(panes, label, note) {
    while (this.#heads.children.length > panes.length) this.#heads.lastElementChild?.remove();
    while (this.#heads.children.length < panes.length) this.#heads.append(head());
    panes.forEach(({ title, caption }, k) => {
      const [first, second] = this.#heads.children[k]?.children ?? [];
      if (first && second) [say(first, title), say(second, caption)];
    });
    say(this.#note, note);
    tell(this.frame, "aria-label", label);
  }

  /** @param {LegendData | null} legend */
  explain(legend) {
    if (JSON.stringify(legend) === JSON.stringify(this.#shown)) return;
    this.#shown = legend;
    this.#legend.replaceChildren(...(legend === null ? [] : [legendBar(legend)]));
  }

  /**
   * What is under the cross-hair; null: there is none.
   * @param {{ x: number, y: number } | null} at pixel
   * @param {readonly Reading[]} readings
   */
  read(at, readings) {
    if (at === null) return this.#reading.replaceChildren();
    const parts = readings.map(({ title, rgba }) => {
      const chip = h("i", {});
      if (rgba !== null) {
        const [r, g, b, a = 255] = rgba;
        chip.style.background = `rgb(${r} ${g} ${b} / ${a / 255})`;
      }
      const text = rgba === null ? "–" : rgba.join(" ");
      return h("span", {}, [chip, readings.length > 1 ? `${title} ${text}` : text]);
    });
    this.#reading.replaceChildren(h("span", {}, [`x ${at.x} y ${at.y}`]), ...parts);
  }
}

const head = () =>
  h("div", { className: "head" }, [
    h("span", { className: "title" }),
    h("span", { className: "caption" }),
  ]);
