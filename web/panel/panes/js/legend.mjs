/** A colour bar with its ticks. */
import { h } from "./dom.mjs";
/** @import { LegendData } from "./types.d.ts" */

const MOST = 7; // ticks; at least two, as steps are not larger than 2.5 times what that allows

/**
 * Round numbers from `low` to `high`, as text that tells them apart: in steps of 1, 2 or 5 times a power of ten.
 * @param {number} low
 * @param {number} high
 * @returns {{ value: number, text: string }[]}
 */
export function ticks(low, high) {
  const least = (high - low) / (MOST - 1);
  if (!(least > 0) || !Number.isFinite(least)) return [{ value: low, text: String(low) }];
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * Number([1, 2, 5, 10].find((n) => n * power >= least * (1 - 1e-9)));
  const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
  const decimals = Math.min(Math.max(Math.ceil(-Math.log10(step) - 1e-9), 0), 20);
  return Array.from({ length: last - first + 1 }, (_, k) => {
    const value = Number(((first + k) * step).toFixed(decimals)) + 0; // no negative zero
    return { value, text: String(value) };
  });
}

/** @param {LegendData} legend */
export function legendBar({ low, high, colours, unit }) {
  const stops = colours.map((rgb) => `rgb(${rgb.join(" ")})`).join(", ");
  const bar = h("div", { className: "bar" });
  bar.style.background = `linear-gradient(to right, ${stops})`;
  const marks = ticks(low, high).map(({ value, text }) => {
    const mark = h("span", {}, [text]);
    mark.style.left = `${(100 * (value - low)) / (high - low)}%`;
    return mark;
  });
  const label = `Colours from ${low} to ${high} ${unit}`.trim();
  return h("div", { role: "img", "aria-label": label }, [
    bar,
    h("div", { className: "ticks" }, marks),
    h("div", { className: "unit" }, [unit]),
  ]);
}
