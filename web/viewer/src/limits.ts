/**
 * The edge of what the student was trained for, and how it feels to a hand.
 *
 *     limited:  the nearest camera inside, where every camera comes to rest
 *     softened: what a hand asks for -> what it gets: inside as asked, beyond ever less of it
 *     hardened: the other way round
 *
 * A hand that pulls at the edge gets up to 4 hundredths more (of a radian, of the picture's height,
 * of the focal length), as long as it pulls: it feels the edge without a knock. Students that are
 * trained with a margin (0.05 of the same units, `cameras.margin` in student/train.py) have learnt
 * what is there; others guess, by 2.3 degrees at most and never at rest, which was preferred to an
 * edge like a wall. How far away the camera stands has no such give: past its end the focal length
 * goes on.
 */
import {
  type Aim,
  aimed,
  aimOf,
  bandAt,
  isWhole,
  nearestDepth,
  type Orbit,
  unwoundOnto,
} from "./camera";
import { besideAtMost, looksAround } from "./room";
import { clamp, type Limits, nearestAim, type Range, room, type Tangents } from "./framing";

/** From how far beyond the edge, in units of `GIVE`, to how far. */
type Edge = (beyond: number) => number;

const GIVE = 0.05; // what the give comes close to if a hand pulls for ever
const FARTHEST = 4; // times that: no pull counts for more, so a hand that turns back is felt soon
const POLE = Math.PI / 2 - 0.005; // elevations stay below it, pulled or not
const REMOTE = 2 / 3; // of the least radius: what is looked at stays nearer to the pivot
const DEPTH = 3; // times as far before or behind it as it may lie aside

const stop: Edge = () => 0;
const bend: Edge = (beyond) => {
  const pull = Math.min(beyond, FARTHEST);
  return pull / (1 + pull);
};
const unbend: Edge = (beyond) => {
  const given = Math.min(beyond, bend(FARTHEST));
  return given / (1 - given);
};

/** The nearest orbit inside. */
export const limited = (orbit: Orbit, limits: Limits): Orbit => shaped(orbit, limits, stop);

/** What a hand gets that asks for `orbit`. */
export const softened = (orbit: Orbit, limits: Limits): Orbit => shaped(orbit, limits, bend);

/** What a hand has asked for that got `orbit`; `softened`'s inverse. */
export const hardened = (orbit: Orbit, limits: Limits): Orbit => shaped(orbit, limits, unbend);

function shaped(orbit: Orbit, limits: Limits, edge: Edge): Orbit {
  const { envelope, focal } = limits;
  const azimuth = isWhole(envelope)
    ? orbit.azimuth
    : shapedValue(unwoundOnto(orbit.azimuth, envelope), envelope.azimuth, edge);
  const band = bandAt(azimuth, envelope);
  const placed: Orbit = {
    azimuth,
    elevation: shapedElevation(orbit.elevation, band.elevation, edge),
    radius: clamp(orbit.radius, band.radius),
    offset: orbit.offset,
    focal: shapedFocal(orbit.focal, focal, edge),
  };
  return shapedAim(placed, limits, edge);
}

function shapedValue(x: number, range: Range, edge: Edge, give = GIVE): number {
  const inside = clamp(x, range);
  const beyond = Math.abs(x - inside);
  return beyond === 0 ? x : inside + Math.sign(x - inside) * give * edge(beyond / give);
}

function shapedElevation(x: number, range: Range, edge: Edge): number {
  const free = x > 0 ? POLE - range[1] : POLE + range[0];
  return shapedValue(x, range, edge, clamp(free, [1e-6, GIVE]));
}

function shapedFocal(focal: number, range: Range, edge: Edge): number {
  const inside = clamp(focal, range);
  return inside * Math.exp(shapedValue(Math.log(focal / inside), [0, 0], edge));
}

function shapedAim(orbit: Orbit, limits: Limits, edge: Edge): Orbit {
  if (looksAround(limits.envelope)) return shapedStep(orbit, limits, edge);
  const aim = aimOf(orbit);
  // Pulled or not, there is the same room: that of the focal length at the edge.
  const focal = clamp(orbit.focal, limits.focal);
  const aside = shapedAside(aim.aside, { ...orbit, focal }, limits, edge);
  const far = edge === unbend ? Infinity : remotest(focal, orbit.radius, limits);
  const depth = boundedDepth({ aside, depth: aim.depth }, orbit.radius, far);
  return aside === aim.aside && depth === aim.depth ? orbit : aimed(orbit, { aside, depth });
}

function shapedStep(orbit: Orbit, { envelope, focal }: Limits, edge: Edge): Orbit {
  const give = (GIVE * orbit.radius) / clamp(orbit.focal, focal); // of the picture's height
  return besideAtMost(orbit, envelope, (beyond) => give * edge(beyond / give));
}

function shapedAside(
  asked: Tangents,
  { focal, radius }: Orbit,
  limits: Limits,
  edge: Edge,
): Tangents {
  const inside = nearestAim(asked, focal, radius, limits);
  if (inside === asked) return asked;
  const away = [asked[0] - inside[0], asked[1] - inside[1]] as const;
  const beyond = Math.hypot(...away);
  const give = GIVE / focal; // of the picture's height
  const stretch = (give * edge(beyond / give)) / beyond;
  return [inside[0] + stretch * away[0], inside[1] + stretch * away[1]];
}

/**
 * How far from the pivot what is looked at may lie: so far that details before and behind it stay in
 * the middle while the camera turns, and back at the pivot where there is no room to look aside.
 */
function remotest(focal: number, radius: number, limits: Limits): number {
  const [x, y] = room(focal, limits);
  const aside = (radius * Math.hypot(x[1] - x[0], y[1] - y[0])) / 2;
  const { radius: radii, target_spread } = limits.envelope;
  return Math.min(REMOTE * radii[0], target_spread + DEPTH * aside);
}

const ROUNDING = 1e-9;

/** The depth nearest to the aim's at which what is looked at lies within `far` of the pivot. */
function boundedDepth({ aside, depth }: Aim, radius: number, far: number): number {
  const foot = nearestDepth(radius, aside);
  const square = 1 + aside[0] ** 2 + aside[1] ** 2;
  const half = Math.sqrt(Math.max(0, foot ** 2 - (radius ** 2 - far ** 2) / square));
  const bounded = clamp(depth, [foot - half, foot + half]);
  return Math.abs(bounded - depth) < ROUNDING * radius ? depth : bounded;
}
