/**
 * One zoom for all panes: pure.
 *
 *     View (what a hand changes, in fractions of a picture) + picture + frame -> Box (where the picture lies)
 *
 * A frame is a pane's window, in CSS pixels; at zoom 1 the whole picture is in it. Fractions rather than pixels: pictures
 * of different sizes still show the same place of the scene.
 */

/** @typedef {{ readonly width: number, readonly height: number }} Size */
/** @typedef {{ readonly zoom: number, readonly x: number, readonly y: number }} View (x, y): what is in the middle */
/** @typedef {{ readonly left: number, readonly top: number, readonly width: number, readonly height: number }} Box */
/** @typedef {{ readonly x: number, readonly y: number }} Point */

/** @type {View} */
export const WHOLE = { zoom: 1, x: 0.5, y: 0.5 };

const LARGEST_PIXEL = 64; // CSS pixels that one pixel of the picture may fill
const SMOOTH = 2; // magnified less than this, in pixels of the screen, pixels are blended

/** @type {(value: number, least: number, most: number) => number} */
export const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/** A picture or frame of no size shows nothing, and never divides by it.
 * @type {(size: Size) => boolean} */
export const isEmpty = ({ width, height }) => !(width > 0 && height > 0);

/** CSS pixels per pixel of the picture at zoom 1.
 * @type {(picture: Size, frame: Size) => number} */
export const fit = (picture, frame) =>
  isEmpty(picture) || isEmpty(frame)
    ? 1
    : Math.min(frame.width / picture.width, frame.height / picture.height);

/** Where the picture lies in its frame, in CSS pixels.
 * @type {(view: View, picture: Size, frame: Size) => Box} */
export function placed(view, picture, frame) {
  const scale = fit(picture, frame) * view.zoom;
  const [width, height] = [picture.width * scale, picture.height * scale];
  return {
    left: frame.width / 2 - view.x * width,
    top: frame.height / 2 - view.y * height,
    width,
    height,
  };
}

/** The fraction of the picture that is at `point` of the frame.
 * @type {(point: Point, box: Box) => Point} */
export const under = (point, box) =>
  isEmpty(box)
    ? { x: 0.5, y: 0.5 }
    : { x: (point.x - box.left) / box.width, y: (point.y - box.top) / box.height };

/** The pixel at this fraction of the picture; null outside.
 * @type {(at: Point, picture: Size) => Point | null} */
export function pixelAt(at, { width, height }) {
  const [x, y] = [Math.floor(at.x * width), Math.floor(at.y * height)];
  return x >= 0 && y >= 0 && x < width && y < height ? { x, y } : null;
}

/** The most that makes sense: a pixel as large as a thumb.
 * @type {(picture: Size, frame: Size) => number} */
export const largestZoom = (picture, frame) => Math.max(1, LARGEST_PIXEL / fit(picture, frame));

/** Never smaller than the frame, never past the picture's edge.
 * @type {(view: View, picture: Size, frame: Size) => View} */
export function limited(view, picture, frame) {
  if (isEmpty(picture) || isEmpty(frame)) return WHOLE;
  const zoom = clamp(view.zoom, 1, largestZoom(picture, frame));
  const { width, height } = placed({ ...view, zoom }, picture, frame);
  return { zoom, x: inside(view.x, width, frame.width), y: inside(view.y, height, frame.height) };
}

/** @type {(centre: number, length: number, window: number) => number} */
const inside = (centre, length, window) =>
  length <= window ? 0.5 : clamp(centre, window / 2 / length, 1 - window / 2 / length);

/** `factor` times as large, with what is at `point` of the frame staying there.
 * @type {(view: View, factor: number, point: Point, picture: Size, frame: Size) => View} */
export function zoomedAt(view, factor, point, picture, frame) {
  if (isEmpty(picture) || isEmpty(frame)) return view;
  const at = under(point, placed(view, picture, frame));
  const zoom = clamp(view.zoom * factor, 1, largestZoom(picture, frame));
  const { width, height } = placed({ ...view, zoom }, picture, frame);
  const x = at.x - (point.x - frame.width / 2) / width;
  const y = at.y - (point.y - frame.height / 2) / height;
  return limited({ zoom, x, y }, picture, frame);
}

/** The picture follows the hand by (dx, dy) CSS pixels.
 * @type {(view: View, dx: number, dy: number, picture: Size, frame: Size) => View} */
export function panned(view, dx, dy, picture, frame) {
  const { width, height } = placed(view, picture, frame);
  if (isEmpty({ width, height })) return view;
  return limited({ ...view, x: view.x - dx / width, y: view.y - dy / height }, picture, frame);
}

/** Are pixels to be seen as squares? `density`: pixels of the screen per CSS pixel.
 * @type {(view: View, picture: Size, frame: Size, density: number) => boolean} */
export const isMagnified = (view, picture, frame, density) =>
  fit(picture, frame) * view.zoom * density >= SMOOTH;
