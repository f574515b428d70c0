/**
 * Camera-path files, as teacher/paths/files.py writes them: fetched or dropped, checked, fitted.
 *
 *     ?path=name.json -> beside the page, or in the scene's folder (same host only) -> CameraPath
 *     dropped file    -> CameraPath
 *
 * {"fps": 30, "width": 512, "height": 512, "closed": true, "name": "circle",
 *  "frames": [{"T_norm_camera": 4x4, "intrinsics": 4 fractions, "time": seconds}, ...]}; only width,
 * height and frames with pose and intrinsics have to be there.
 */
import { open } from "./download";
import type { CameraPose } from "./manifest";
import type { Timetable } from "./path_spline";
import { within } from "./scene";
import { Trouble } from "./trouble";

const SCHEMA = 1;
const CROOKED = 1e-2; // how far R^T R may be from 1 in a file written by hand
const REMEDY = "write one with `python -m teacher path`, which also says what may be in it";

export interface CameraPath extends Timetable {
  readonly name: string;
  /** Width over height of the pictures that the intrinsics are fractions of. */
  readonly aspect: number;
}

/** Fetch and check the path `asked` for, beside `page` or in `scene`, the scene's folder. */
export async function loadPath(asked: string, page: URL, scene: string): Promise<CameraPath> {
  const thing = "?path=";
  const folder = within(scene.endsWith("/") ? scene : `${scene}/`, page, "?scene=");
  const places = new Set([page, folder].map((base) => within(asked, base, thing).href));
  const failures: unknown[] = [];
  for (const place of places) {
    try {
      const response = await open(new URL(place), `the camera path ${asked}`, {
        cache: "no-cache",
      });
      return parsePath(await response.text(), asked);
    } catch (error) {
      failures.push(error);
    }
  }
  // A file that is there and wrong says more than one that is not there.
  throw failures.find((error) => error instanceof Unusable) ?? failures[0];
}

/** The file is there, but no camera path. */
class Unusable extends Trouble {}

/** The path in `text`, of the file `file`; throws Trouble that names what is wrong with it. */
export function parsePath(text: string, file: string): CameraPath {
  const flawed = (given: string): Unusable =>
    new Unusable(
      `the camera path ${file}`,
      given,
      'JSON with "width", "height" and "frames" with "T_norm_camera" (4x4) and "intrinsics" (4 fractions)',
      REMEDY,
    );
  let plain: unknown;
  try {
    plain = JSON.parse(text);
  } catch {
    throw flawed(`"${text.trim().slice(0, 40)}…", which is not JSON`);
  }
  if (typeof plain !== "object" || plain === null) throw flawed("no object");
  const { schema = SCHEMA, width, height, fps = 30, closed, name, frames } = plain as Fields;
  if (schema !== SCHEMA)
    throw flawed(`schema ${JSON.stringify(schema)}; this page reads ${SCHEMA}`);
  for (const [field, value] of Object.entries({ width, height, fps }))
    if (!(isNumber(value) && value > 0)) throw flawed(`${field} ${JSON.stringify(value)}`);
  if (!Array.isArray(frames) || frames.length === 0) throw flawed("no frames");
  const poses = frames.map((frame, k) => {
    const pose = poseIn(frame as Fields);
    if (typeof pose === "string") throw flawed(`frame ${k}'s ${pose}`);
    return pose;
  });
  const times = timesOf(frames as Fields[], fps as number);
  if (typeof times === "string") throw flawed(times);
  const last = times.at(-1)!;
  const step = times.length > 1 ? last / (times.length - 1) : 1 / (fps as number);
  return {
    name: typeof name === "string" && name !== "" ? name : file,
    aspect: (width as number) / (height as number),
    poses,
    times,
    duration: closed === true ? last + step : last,
    closed: closed === true,
  };
}

type Fields = Readonly<Record<string, unknown>>;

const isNumber = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value);

/** A frame's camera, or what is wrong with it. */
function poseIn(frame: Fields | null): CameraPose | string {
  const { T_norm_camera, intrinsics } = frame ?? {};
  const T = Array.isArray(T_norm_camera) ? T_norm_camera.flat() : [];
  if (T.length !== 16 || !T.every(isNumber)) return "T_norm_camera, which is not 16 finite numbers";
  if (!isPose(T)) return "T_norm_camera, which is no rotation and position";
  const four = Array.isArray(intrinsics) && intrinsics.length === 4 && intrinsics.every(isNumber);
  if (!four || !(Math.min(...intrinsics.slice(0, 2)) > 0))
    return `intrinsics ${JSON.stringify(intrinsics)}`;
  return {
    T_norm_camera: T,
    intrinsics: intrinsics as unknown as CameraPose["intrinsics"],
  };
}

function isPose(T: readonly number[]): boolean {
  const column = (j: number): number[] => [T[j]!, T[4 + j]!, T[8 + j]!];
  const dot = (a: number[], b: number[]): number => a[0]! * b[0]! + a[1]! * b[1]! + a[2]! * b[2]!;
  const [x, y, z] = [column(0), column(1), column(2)];
  const cross = [
    x[1]! * y[2]! - x[2]! * y[1]!,
    x[2]! * y[0]! - x[0]! * y[2]!,
    x[0]! * y[1]! - x[1]! * y[0]!,
  ];
  const wrong = [
    ...[dot(x, x) - 1, dot(y, y) - 1, dot(x, y), dot(cross, z) - 1],
    ...[T[12]!, T[13]!, T[14]!, T[15]! - 1],
  ];
  return wrong.every((value) => Math.abs(value) < CROOKED);
}

/** When the frames are shown, from 0, in seconds; or what is wrong with that. */
function timesOf(frames: readonly Fields[], fps: number): readonly number[] | string {
  const given = frames.filter((frame) => "time" in frame).map((frame) => frame["time"]);
  if (given.length === 0) return frames.map((_, k) => k / fps);
  if (given.length < frames.length) return "times of some frames only";
  if (!given.every(isNumber)) return "times that are not numbers";
  if (given.some((time, k) => k > 0 && time <= given[k - 1]!)) return "times that do not rise";
  return given.map((time) => time - given[0]!);
}

/**
 * `path` for pictures of another width over height: as high as before, with more or less at the
 * sides, nothing stretched.
 */
export function fitted(path: CameraPath, aspect: number): CameraPath {
  const ratio = path.aspect / aspect;
  if (ratio === 1) return path;
  const poses = path.poses.map(({ T_norm_camera, intrinsics: [fx, fy, cx, cy] }) => ({
    T_norm_camera,
    intrinsics: [fx * ratio, fy, 0.5 + (cx - 0.5) * ratio, cy] as const,
  }));
  return { ...path, aspect, poses };
}

/** The one camera path among dropped or chosen files; null where they are a scene, or something else. */
export function pathAmong(files: ReadonlyMap<string, Blob>): readonly [string, Blob] | null {
  const found = [...files].filter(([name]) => /\.json$/i.test(name));
  const scene = found.some(([name]) => /(^|\/)manifest\.json$/.test(name));
  return !scene && files.size === 1 && found[0] !== undefined ? found[0] : null;
}
