/** A colour bar with its ticks. */
import { h } from "./dom.mjs";
/** @import { LegendData } from "./types.d.ts" */

/**
 * At most `most` round numbers from `low` to `high`: steps of 1, 2 or 5 times a power of ten.
 * @param {number} low
 * @param {number} high
 * @param {number} most
 */
export function ticks(low, high, most = 5) {
  const least = (high - low) / Math.max(most - 1, 1);
  if (!(least > 0) || !Number.isFinite(least)) return [low];
  const power = 10 ** Math.floor(Math.log10(least));
  const step =
    power * /** @type {number} */ ([1, 2, 5, 10].find((n) => n * power >= least * (1 - 1e-9)));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step);
}

/** As short as it can be told apart from the next.
 * @param {number} value */
export const tickText = (value) =>
  Math.abs(value) < 1e-12 ? "0" : String(Number(value.toPrecision(3)));

/** @param {LegendData} legend */
export function legendBar({ low, high, colours, unit }) {
  const stops = colours.map((rgb) => `rgb(${rgb.join(" ")})`).join(", ");
  const bar = h("div", { className: "bar" });
  bar.style.background = `linear-gradient(to right, ${stops})`;
  const marks = ticks(low, high).map((value) => {
    const mark = h("span", {}, [tickText(value)]);
    mark.style.left = `${(100 * (value - low)) / (high - low)}%`;
    return mark;
  });
  const label = `Colours from ${tickText(low)} to ${tickText(high)} ${unit}`.trim();
  return h("div", { role: "img", "aria-label": label }, [
    bar,
    h("div", { className: "ticks" }, marks),
    h("div", { className: "unit" }, [unit]),
  ]);
}
