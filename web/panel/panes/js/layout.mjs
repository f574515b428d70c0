/**
 * How many panes stand in a row, and how large they are: pure.
 *
 *     number of panes, their proportions, the room there is -> columns and the size of each picture's frame
 */
/** @import { Size } from "./view.mjs" */

const GAP = 12; // CSS pixels between panes
const AROUND = 76; // CSS pixels of title, caption and read-out above and below each picture
const WORTH = 1.25; // how much larger panes have to become for a further row
const LEAST = 120; // CSS pixels: a pane is not narrower, if the page is not

/**
 * `aspect`: width over height of the pictures; `room`: what the page has for all of them.
 * @param {number} count
 * @param {number} aspect
 * @param {Size} room
 * @returns {{ columns: number, frame: Size }}
 */
export function arranged(count, aspect, room) {
  const shape = Number.isFinite(aspect) && aspect > 0 ? aspect : 1;
  let best = { columns: 1, width: 0 };
  for (let columns = Math.max(count, 1); columns >= 1; columns--) {
    const width = widthOf(columns, count, shape, room);
    if (width > best.width * WORTH) best = { columns, width };
  }
  const width = Math.floor(best.width);
  return { columns: best.columns, frame: { width, height: Math.round(width / shape) } };
}

/** @type {(columns: number, count: number, aspect: number, room: Size) => number} */
function widthOf(columns, count, aspect, room) {
  const rows = Math.ceil(count / columns);
  const across = (room.width - GAP * (columns - 1)) / columns;
  const down = (room.height - GAP * (rows - 1)) / rows - AROUND;
  return Math.max(Math.min(across, Math.max(down * aspect, LEAST)), 1);
}
