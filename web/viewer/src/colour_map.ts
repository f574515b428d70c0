/**
 * Colours for numbers, in equal steps to the eye.
 *
 *     t in [0, 1] -> lightness and hue in Oklab -> sRGB bytes
 *
 * Lightness falls evenly from light yellow (t = 0) over red and magenta to dark violet (t = 1), so
 * order is legible without colours too. Oklab: B. Ottosson, "A perceptual color space for image
 * processing", 2020.
 */

export type Rgb = readonly [number, number, number];

const [LIGHT, DARK] = [0.93, 0.25]; // Oklab's lightness at t = 0 and t = 1
const [FIRST_HUE, LAST_HUE] = [105, -75]; // degrees
const CHROMA = 0.15;

/** `steps` colours as RGBA bytes, opaque. */
export function colourTable(steps: number): Uint8Array<ArrayBuffer> {
  const table = new Uint8Array(4 * steps);
  for (let k = 0; k < steps; k++) {
    const rgb = colourOf(k / (steps - 1)).map((value) => Math.round(255 * value));
    table.set([...rgb, 255], 4 * k);
  }
  return table;
}

/** The colour of `t`, as sRGB in [0, 1]: as strong as sRGB has it, but no stronger than CHROMA. */
export function colourOf(t: number): Rgb {
  const lightness = LIGHT + (DARK - LIGHT) * t;
  const hue = ((FIRST_HUE + (LAST_HUE - FIRST_HUE) * t) * Math.PI) / 180;
  let [possible, tooMuch] = [0, CHROMA];
  if (inGamut(linearOf(lightness, CHROMA, hue))) possible = CHROMA;
  for (let k = 0; k < 20 && possible < CHROMA; k++) {
    const chroma = (possible + tooMuch) / 2;
    if (inGamut(linearOf(lightness, chroma, hue))) possible = chroma;
    else tooMuch = chroma;
  }
  const [r, g, b] = linearOf(lightness, possible, hue);
  return [encoded(r), encoded(g), encoded(b)];
}

const inGamut = (rgb: Rgb): boolean => rgb.every((value) => value >= 0 && value <= 1);

/** Oklab in cylinder coordinates to linear sRGB. */
function linearOf(lightness: number, chroma: number, hue: number): Rgb {
  const [a, b] = [chroma * Math.cos(hue), chroma * Math.sin(hue)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

/** sRGB's transfer function (IEC 61966-2-1). */
const encoded = (x: number): number =>
  x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055;
