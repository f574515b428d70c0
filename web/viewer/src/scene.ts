/**
 * A bundle's manifest: fetched, checked, and its files' addresses.
 *
 *     ?scene=path/ -> URL of the bundle's folder (same host only) -> manifest.json -> Scene
 */
import { type KnownFile, open, twice } from "./download";
import {
  type BundleFile,
  type CameraPose,
  type Manifest,
  type ModelFile,
  SCHEMA,
} from "./manifest";
import { Trouble } from "./trouble";

/** Where a bundle's files lie. */
export interface Place {
  /** The folder's address, with a slash at its end. */
  readonly base: string;
  /** Of a bundle that was dropped on the page: an object URL for each path; else null. */
  readonly dropped: Readonly<Record<string, string>> | null;
}

export interface Scene extends Place {
  readonly manifest: Manifest;
}

const MANIFEST = "scene/manifest.json";

/** Fetch and check the manifest in the folder `path`, relative to `page`. */
export async function loadScene(path: string, page: URL): Promise<Scene> {
  const base = within(path.endsWith("/") ? path : `${path}/`, page, "?scene=");
  // `no-cache` asks the host whether it has changed: an exported-again scene shows at once.
  const manifest = await twice(async (mode) => {
    const response = await open(new URL("manifest.json", base), MANIFEST, { cache: mode });
    return parseManifest(await textOf(response));
  }, "no-cache");
  return { manifest, base: base.href, dropped: null };
}

async function textOf(response: Response): Promise<string> {
  return response.text().catch((error: unknown) => {
    throw new Trouble(
      MANIFEST,
      `it broke off (${String(error)})`,
      "the manifest of an exported scene",
      "check the connection, then try again: reload the page",
    );
  });
}

/** `path` resolved against `base`; throws Trouble where it leads to another host. */
export function within(path: string, base: URL, thing: string): URL {
  const url = parseUrl(path, base);
  if (url?.origin === base.origin) return url;
  throw new Trouble(
    thing,
    `"${path}"`,
    `a path on ${base.origin}`,
    "put the scene's folder on the page's own host",
  );
}

function parseUrl(path: string, base: URL): URL | null {
  try {
    return new URL(path, base);
  } catch {
    return null; // not an address at all
  }
}

/** The address of the bundle's file `path`; throws Trouble where it is not one of its own. */
export function addressOf(path: string, { base, dropped }: Place): URL {
  if (dropped === null) return within(path, new URL(base), MANIFEST);
  const address = dropped[path];
  if (address !== undefined) return new URL(address);
  throw new Trouble(
    "the dropped scene",
    `no file "${path}"`,
    "all files that its manifest.json names",
    "drop the whole folder that `python -m export bundle` wrote",
  );
}

/**
 * Where a model's file lies. The digest in the query keeps a cached file of an earlier export from
 * being used.
 */
export function fileUrl({ file, sha256 }: BundleFile, place: Place): URL {
  const url = addressOf(file, place);
  if (place.dropped === null) url.searchParams.set("v", sha256.slice(0, 12));
  return url;
}

/** A model's file, for download.ts. */
export function knownFile(file: BundleFile, place: Place): KnownFile {
  const { bytes, sha256 } = file;
  const url = fileUrl(file, place);
  return { url, thing: `the model ${file.file}`, bytes, sha256, packed: null };
}

/** SHA-256 of every file that `models` name, however deep. */
export function digestsOf(models: readonly ModelFile[]): string[] {
  const found = JSON.stringify(models).matchAll(/"sha256":"([0-9a-f]{64})"/g);
  return [...new Set(Array.from(found, ([, digest]) => digest!))];
}

/** The manifest in `text`; throws Trouble where it is not one that this page reads. */
export function parseManifest(text: string): Manifest {
  const value = parseJson(text);
  const schema = isRecord(value) ? value["schema"] : undefined;
  if (schema !== SCHEMA) throw wrongSchema(schema);
  const manifest = value as unknown as Manifest;
  const flaw = flawOf(manifest);
  if (flaw === null) return manifest;
  throw new Trouble(MANIFEST, flaw, `a manifest of schema ${SCHEMA}`, "export the scene again");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Trouble(
      MANIFEST,
      `"${text.trim().slice(0, 40)}…", which is not JSON`,
      "the manifest of an exported scene",
      "check that the host serves the scene's folder itself, not a page in its place",
    );
  }
}

function wrongSchema(schema: unknown): Trouble {
  const newer = typeof schema === "number" && schema > SCHEMA;
  return new Trouble(
    MANIFEST,
    schema === undefined ? "no schema version" : `schema ${JSON.stringify(schema)}`,
    `schema ${SCHEMA}, the one that this page reads`,
    newer
      ? "build the page again (make web): it is older than the scene"
      : "export the scene again (make export)",
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isNumbers = (value: unknown, count: number): boolean =>
  Array.isArray(value) && value.length === count && value.every(Number.isFinite);

const isRange = (value: unknown): boolean =>
  isNumbers(value, 2) && (value as [number, number])[0] <= (value as [number, number])[1];

const isPose = (value: unknown): value is CameraPose =>
  isRecord(value) && isNumbers(value["T_norm_camera"], 16) && isNumbers(value["intrinsics"], 4);

const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) > 0;

const isFile = (value: unknown): boolean =>
  isRecord(value) &&
  ["file", "sha256"].every((name) => typeof value[name] === "string") &&
  isCount(value["bytes"]);

const isPart = (value: unknown): boolean =>
  isRecord(value) &&
  (value["kind"] === "storage" || value["kind"] === "uniform") &&
  (value["offset"] === 0 || isCount(value["offset"])) &&
  isCount(value["bytes"]);

const isStage = (value: unknown): boolean =>
  isRecord(value) &&
  isFile(value["shader"]) &&
  isNumbers(value["workgroups"], 3) &&
  Array.isArray(value["parts"]) &&
  value["parts"].every(isPart);

const isSplit = (value: unknown): boolean =>
  isRecord(value) &&
  ["encode", "shade"].every((name) => isStage(value[name])) &&
  ["network", "tables"].every((name) => isFile(value[name])) &&
  ["encoded", "ends"].every((name) => isNumbers(value[name], 4));

const isRendition = (value: unknown): boolean =>
  isRecord(value) &&
  isFile(value["file"]) &&
  ["width", "height"].every((name) => isCount(value[name])) &&
  (value["split"] === null || isSplit(value["split"]));

const isModel = (value: unknown): boolean =>
  isRecord(value) &&
  isFile(value) &&
  typeof value["precision"] === "string" &&
  ["width", "height"].every((name) => isCount(value[name])) &&
  (value["sampled"] === null || isFile(value["sampled"])) &&
  (value["split"] === null || isSplit(value["split"])) &&
  (value["reduced"] === null || isRendition(value["reduced"]));

const isTrack = (value: unknown): boolean =>
  Array.isArray(value) && value.every((band) => isNumbers(band, 4));

const isEnvelope = (value: unknown): boolean =>
  isRecord(value) &&
  isNumbers(value["pivot"], 3) &&
  ["radius", "azimuth", "elevation", "focal"].every((name) => isRange(value[name])) &&
  Number.isFinite(value["target_spread"]) &&
  isTrack(value["track"] ?? []) && // older bundles have neither
  isNumbers([value["outlook"] ?? 0], 1);

/** What is wrong with the parts that the page relies on, or null. */
function flawOf(manifest: Manifest): string | null {
  const { name, models, start, envelope, references, background, poster } = manifest;
  if (typeof name !== "string" || typeof poster !== "string") return "no name or no poster";
  if (!Array.isArray(models) || models.length === 0 || !models.every(isModel))
    return "no usable list of models";
  if (!isPose(start)) return "a start camera without 16 + 4 finite numbers";
  if (!isEnvelope(envelope)) return "an envelope that is not made of ranges";
  if (!Array.isArray(references) || !references.every((view) => isPose(view?.camera)))
    return "unusable references";
  return isNumbers(background, 3) ? null : "a background that is not three numbers";
}
