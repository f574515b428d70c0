/**
 * What a link says about the view: the part of the page's address behind "#".
 *
 *     #view=azimuth,elevation,radius,x,y,z,focal&look=depth <-> State (key -> value)
 *     view's value                                          <-> Orbit
 *
 * Whoever owns a key reads it with `readState` and writes it with `writeState`; the others' keys
 * stay as they are. Angles in radians, lengths in norm units; (x, y, z) is the point looked at,
 * relative to the pivot.
 */
import type { Orbit } from "./camera";

/** In the order of the address. */
export type State = ReadonlyMap<string, string>;

/** The camera's key. */
export const VIEW = "view";

const PI = Math.PI;

/** The keys and values in an address's hash; what cannot be decoded is left out. */
export function parseState(hash: string): State {
  const state = new Map<string, string>();
  for (const part of hash.replace(/^#/, "").split("&")) {
    const [key, value] = split(part).map(decoded);
    if (key && typeof value === "string") state.set(key, value);
  }
  return state;
}

/** The hash that says `state`, "" for an empty one. */
export function formatState(state: State): string {
  const parts = [...state].map(([key, value]) => `${encoded(key)}=${encoded(value)}`);
  return parts.length === 0 ? "" : `#${parts.join("&")}`;
}

/** At the first "="; a key alone has the value "". */
function split(part: string): readonly [string, string] {
  const at = part.indexOf("=");
  return at < 0 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)];
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // a percent sign that somebody typed
  }
}

/** Commas, colons and slashes may stand in a hash as they are, and are easier to read so. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/%(2C|3A|2F)/g, decodeURIComponent);

/** What the page's address says now. */
export const readState = (): State => parseState(location.hash);

/**
 * Say `value` for `key` in the page's address, or nothing for null. No new entry in the history:
 * the browser's "back" leaves the page, not the view.
 */
export function writeState(key: string, value: string | null): void {
  const state = new Map(readState());
  if (value === null) state.delete(key);
  else state.set(key, value);
  const hash = formatState(state);
  if (hash === location.hash) return;
  try {
    history.replaceState(history.state, "", hash || location.pathname + location.search);
  } catch (error) {
    console.warn("The address cannot be written here:", error); // Safari: 100 times in 10 s
  }
}

/**
 * An orbit in few digits: an error of 0.0000005 in angles and lengths, of 0.000005 of radius and focal
 * length: a tenth of a pixel at most on a screen 4000 pixels high.
 */
export function formatView(orbit: Orbit): string {
  const { azimuth, elevation, radius, offset, focal } = orbit;
  const wrapped = azimuth - 2 * PI * Math.round(azimuth / (2 * PI));
  return [
    ...[wrapped, elevation].map(decimals),
    digits(radius),
    ...offset.map(decimals),
    digits(focal),
  ].join(",");
}

const decimals = (x: number): string => String(Number(x.toFixed(6)));
const digits = (x: number): string => String(Number(x.toPrecision(6)));

type Seven = readonly [number, number, number, number, number, number, number];

/** The orbit in a view's value, null where it is not one. It may be outside of any envelope. */
export function parseView(text: string): Orbit | null {
  const numbers = text.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  if (numbers.length !== 7 || !numbers.every(Number.isFinite)) return null;
  const [azimuth, elevation, radius, x, y, z, focal] = numbers as unknown as Seven;
  if (radius <= 0 || focal <= 0) return null;
  return { azimuth, elevation, radius, offset: [x, y, z], focal };
}
