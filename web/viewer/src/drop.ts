/**
 * A scene from the visitor's own files: dropped on the page, or chosen.
 *
 *     folder, files or .zip -> path -> content -> where manifest.json lies -> Scene of object URLs
 *
 * Nothing leaves the visitor's device.
 */
import type { Manifest } from "./manifest";
import { parseManifest, type Scene } from "./scene";
import { Trouble } from "./trouble";

/** Contents by path, with slashes. */
export type Files = ReadonlyMap<string, Blob>;

const THING = "the dropped files";
const WHAT = "a bundle: the folder that `python -m export bundle` wrote, its files, or a .zip";

/** The scene in `files`; throws Trouble, which names what is missing. */
export async function sceneFrom(files: Files): Promise<Scene> {
  const unpacked = await unzipped(files);
  const root = rootOf([...unpacked.keys()]);
  const manifest = parseManifest(await unpacked.get(`${root}manifest.json`)!.text());
  const missing = neededFiles(manifest).filter((path) => !unpacked.has(root + path));
  if (missing.length > 0) throw incomplete(missing);
  const addresses = [...unpacked]
    .filter(([path]) => path.startsWith(root))
    .map(([path, content]) => [path.slice(root.length), URL.createObjectURL(content)] as const);
  return { manifest, base: "", dropped: Object.fromEntries(addresses) };
}

/** Give the memory of a dropped scene back; no other scene has any. */
export function forget({ dropped }: Scene): void {
  for (const address of Object.values(dropped ?? {})) URL.revokeObjectURL(address);
}

/**
 * The folder with the bundle among `paths`, "" or with a slash at its end: the one highest up that
 * has a manifest.json. Throws Trouble where there is none.
 */
export function rootOf(paths: readonly string[]): string {
  const found = paths
    .filter((path) => /(^|\/)manifest\.json$/.test(path))
    .sort((a, b) => a.split("/").length - b.split("/").length || (a < b ? -1 : 1));
  if (found[0] !== undefined) return found[0].slice(0, -"manifest.json".length);
  throw new Trouble(
    THING,
    paths.length === 0 ? "nothing that can be read" : `${list(paths)}, and no manifest.json`,
    WHAT,
    "drop the whole folder, or a .zip of it",
  );
}

/** What must be there: the poster, and all that one device or another runs. */
export function neededFiles({ poster, models }: Manifest): readonly string[] {
  const ofModels = models.flatMap(({ file, sampled, split }) => [
    file,
    ...(sampled === null ? [] : [sampled.file]),
    ...(split === null
      ? []
      : [split.encode.shader, split.network, split.shade.shader, split.tables].map((f) => f.file)),
  ]);
  return [...new Set([poster, ...ofModels])];
}

const incomplete = (missing: readonly string[]): Trouble =>
  new Trouble(
    THING,
    `a bundle without ${list(missing)}`,
    "all files that its manifest.json names",
    "drop the whole folder that `python -m export bundle` wrote",
  );

/** The first few. */
function list(paths: readonly string[]): string {
  const shown = paths.slice(0, 4).join(", ");
  return paths.length > 4 ? `${shown} and ${paths.length - 4} more` : shown;
}

/** Archives replaced by what is in them. */
async function unzipped(files: Files): Promise<Files> {
  const found = new Map<string, Blob>();
  for (const [path, content] of files) {
    if (!/\.zip$/i.test(path)) found.set(path, content);
    else for (const [inner, part] of await unzip(path, content)) found.set(inner, part);
  }
  return found;
}

/**
 * Read by a library that only those fetch who drop an archive. In one go: its workers would be blobs,
 * which the page's Content-Security-Policy forbids.
 */
async function unzip(path: string, content: Blob): Promise<(readonly [string, Blob])[]> {
  const { unzipSync } = await import("fflate");
  try {
    const parts = unzipSync(new Uint8Array(await content.arrayBuffer()));
    return Object.entries(parts)
      .filter(([name]) => !name.endsWith("/"))
      .map(([name, bytes]) => [name, new Blob([bytes as Uint8Array<ArrayBuffer>])] as const);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Trouble(
      THING,
      `${path}, which cannot be unpacked (${reason})`,
      WHAT,
      "pack the folder again, as a plain .zip without a password",
    );
  }
}
