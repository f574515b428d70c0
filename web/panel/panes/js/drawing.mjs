/** One pane on its canvas: backdrop, one picture or two with an edge between them, cross-hair. */
import { fit, isMagnified, pixelAt, placed } from "./view.mjs";
/** @import { Box, Point, Size, View } from "./view.mjs" */

const CHECK = 8; // CSS pixels
const COLOURS = { light: ["#ffffff", "#e2e2e6"], dark: ["#2b2d34", "#202228"] };

/**
 * @typedef {object} Scene
 * @property {readonly (ImageBitmap | null)[]} pictures one, or two: to the left and to the right of `split`
 * @property {number} split fraction of the frame
 * @property {View} view
 * @property {Size} frame in CSS pixels
 * @property {string | null} background CSS colour; null: chequers
 * @property {boolean} dark
 * @property {Point | null} cross fraction of the picture
 */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 */
export function draw(canvas, scene) {
  const density = window.devicePixelRatio || 1;
  const [width, height] = [scene.frame.width, scene.frame.height].map((length) =>
    Math.max(1, Math.round(length * density)),
  );
  if (canvas.width !== width) canvas.width = /** @type {number} */ (width);
  if (canvas.height !== height) canvas.height = /** @type {number} */ (height);
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, scene.frame.width, scene.frame.height);
  scene.pictures.forEach((picture, k) => {
    if (picture !== null) drawPicture(context, picture, k, scene, density);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {ImageBitmap} picture
 * @param {number} side
 * @param {Scene} scene
 * @param {number} density
 */
function drawPicture(context, picture, side, scene, density) {
  const { view, frame, pictures } = scene;
  const box = placed(view, picture, frame);
  const edge = scene.split * frame.width;
  context.save();
  context.beginPath();
  if (pictures.length === 1) context.rect(0, 0, frame.width, frame.height);
  else if (side === 0) context.rect(0, 0, edge, frame.height);
  else context.rect(edge, 0, frame.width - edge, frame.height);
  context.clip();
  drawBackdrop(context, box, scene);
  context.imageSmoothingEnabled = !isMagnified(view, picture, frame, density);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, box.left, box.top, box.width, box.height);
  if (scene.cross !== null) drawCross(context, scene.cross, picture, box, scene);
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Box} box
 * @param {Scene} scene
 */
function drawBackdrop(context, box, { frame, background, dark }) {
  const [left, top] = [Math.max(box.left, 0), Math.max(box.top, 0)];
  const [right, bottom] = [
    Math.min(box.left + box.width, frame.width),
    Math.min(box.top + box.height, frame.height),
  ];
  const colours = dark ? COLOURS.dark : COLOURS.light;
  context.fillStyle = background ?? chequers(context, colours) ?? String(colours[0]);
  context.fillRect(left, top, Math.max(right - left, 0), Math.max(bottom - top, 0));
}

/** @type {(context: CanvasRenderingContext2D, colours: string[]) => CanvasPattern | null} */
function chequers(context, [first, second]) {
  const tile = new OffscreenCanvas(2 * CHECK, 2 * CHECK);
  const inside = tile.getContext("2d");
  if (inside === null) return null;
  inside.fillStyle = String(first);
  inside.fillRect(0, 0, 2 * CHECK, 2 * CHECK);
  inside.fillStyle = String(second);
  inside.fillRect(0, 0, CHECK, CHECK);
  inside.fillRect(CHECK, CHECK, CHECK, CHECK);
  return context.createPattern(/** @type {any} */ (tile), "repeat");
}

/**
 * Thin lines through the pixel, and a box around it where it is large enough.
 * @param {CanvasRenderingContext2D} context
 * @param {Point} cross
 * @param {Size} picture
 * @param {Box} box
 * @param {Scene} scene
 */
function drawCross(context, cross, picture, box, { frame, view }) {
  const pixel = pixelAt(cross, picture);
  if (pixel === null) return;
  const size = fit(picture, frame) * view.zoom;
  const [x, y] = [box.left + (pixel.x + 0.5) * size, box.top + (pixel.y + 0.5) * size];
  const gap = Math.max(size / 2, 5);
  const path = new Path2D();
  for (const [from, to] of [
    [0, x - gap],
    [x + gap, frame.width],
  ]) {
    path.moveTo(Number(from), y);
    path.lineTo(Number(to), y);
  }
  for (const [from, to] of [
    [0, y - gap],
    [y + gap, frame.height],
  ]) {
    path.moveTo(x, Number(from));
    path.lineTo(x, Number(to));
  }
  if (size > 4) path.rect(x - size / 2, y - size / 2, size, size);
  // White on black: seen on any picture.
  for (const [colour, width] of /** @type {const} */ ([
    ["#0006", 2.5],
    ["#ffffffd0", 1],
  ])) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke(path);
  }
}
