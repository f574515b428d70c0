/**
 * What a worker needs of the host: ONNX Runtime and a model's files.
 *
 *     runtime's binary, files -> cache.ts or the network (download.ts) -> checked bytes
 */
import { openFileCache } from "./cache";
import { fetchFiles, type KnownFile } from "./download";
import type { BundleFile } from "./manifest";
import type { Start } from "./protocol";
import { fetchScripts, RUNTIME_DIGESTS, type RuntimeFiles } from "./runtime_files";
import { digestsOf, knownFile } from "./scene";

/** What of a start says where files come from, and whether they are kept. */
export type Source = Pick<Start, "place" | "models" | "nocache">;

type Progress = (received: number, total: number) => void;

/** Runtime and model, side by side, with their common progress; kept for the next visit. */
export async function fetchAll(
  runtime: RuntimeFiles,
  files: readonly BundleFile[],
  { place, models, nocache }: Source,
  progress: Progress,
): Promise<{
  readonly binary: Uint8Array<ArrayBuffer>;
  readonly files: readonly Uint8Array<ArrayBuffer>[];
}> {
  fetchScripts(runtime);
  const cache = nocache ? null : await openFileCache();
  const page = new URL(".", self.location.href);
  const { url, ...facts } = runtime.binary;
  const known: readonly KnownFile[] = [
    { url: new URL(url, import.meta.url), thing: "ONNX Runtime", ...facts },
    ...files.map((file) => knownFile(file, place)),
  ];
  const owners: [string, readonly string[]][] = [[page.href, RUNTIME_DIGESTS]];
  if (place.dropped === null) owners.push([place.base, digestsOf(models)]);
  await Promise.all(owners.map(([owner, digests]) => cache?.expect(owner, digests)));
  const contents = await fetchFiles(known, { cache, mode: modeOf(nocache) }, progress);
  void Promise.all(owners.map(([owner, digests]) => cache?.settle(owner, digests)));
  return { binary: contents[0]!, files: contents.slice(1) };
}

/** More files of the same scene, later. */
export async function fetchMore(
  files: readonly BundleFile[],
  { place, nocache }: Source,
): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  const known = files.map((file) => knownFile(file, place));
  const cache = nocache ? null : await openFileCache();
  return fetchFiles(known, { cache, mode: modeOf(nocache) }, () => {});
}

const modeOf = (nocache: boolean): RequestCache => (nocache ? "reload" : "default");
