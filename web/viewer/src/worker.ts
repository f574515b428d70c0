/**
 * The worker: downloads, runs and draws. The page itself only says which camera.
 *
 *     start -> adapter, plan -> runtime and weights -> engine -> renderer
 *     then show, capture, resize, pause
 *
 * One worker lives as long as its graphics device. It reports its first failure and draws nothing
 * after it; what comes next is for the page to decide (recovery.ts).
 */
import { type Backend, plan } from "./device";
import { openFileCache } from "./cache";
import { fetchFiles, type KnownFile } from "./download";
import { FrameLoop } from "./frame_loop";
import { factsOf, findAdapter, openDevice } from "./gpu";
import type { BundleFile, CameraPose } from "./manifest";
import type { FromWorker, Phase, Size, Start, ToWorker } from "./protocol";
import { createRenderer, type Renderer } from "./renderer";
import { contentsFrom, filesToRun, startEngine } from "./runtime";
import { fetchScripts, RUNTIME_DIGESTS, type RuntimeFiles, runtimeFiles } from "./runtime_files";
import { digestsOf, knownFile } from "./scene";
import { partsOf } from "./trouble";

/** The part of a worker's global scope that is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
}

interface Downloads {
  readonly binary: Uint8Array<ArrayBuffer>;
  readonly files: readonly Uint8Array<ArrayBuffer>[];
}

const DOING: Record<Phase, string> = {
  load: "loading the scene",
  start: "starting the model",
  run: "drawing",
};

const scope = self as unknown as WorkerScope;
const loop = new FrameLoop<CameraPose>((pose) => draw(pose), fail);
let phase: Phase = "load";
let backend: Backend | null = null;
let size: Size = { width: 1, height: 1 };
let renderer: Renderer | null = null;
let failed = false;

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case "start": // the first job: poses and captures that come meanwhile wait behind it
      loop.enqueue(() => start(data)).catch(fail);
      break;
    case "show":
      loop.show(data.pose);
      break;
    case "capture":
      loop.insist(() => capture(data.id, data.pose)).catch(fail);
      break;
    case "probe":
      scope.postMessage({ kind: "probed", id: data.id, depth: null });
      break;
    case "resize":
      size = data.size;
      loop.enqueue(async () => renderer?.redraw(size)).catch(fail);
      break;
    case "pause":
      loop.pause(data.paused);
  }
};

async function start(message: Start): Promise<void> {
  size = message.size;
  const adapter = await findAdapter();
  const facts = adapter === null ? null : factsOf(adapter);
  const { backend: chosen, model, form } = plan(message.models, facts, message.preference);
  backend = chosen;
  const runtime = runtimeFiles(chosen, message.threads);
  const wanted = filesToRun(model, form, chosen);
  const { binary, files } = await download(runtime, wanted, message);
  phase = "start";
  const onCard = adapter !== null && chosen === "webgpu";
  const engine = await startEngine({
    runtime,
    binary: binary.buffer,
    model,
    contents: contentsFrom(form, files),
    device: onCard ? await watched(adapter, message.timings) : null,
    verbose: message.verbose,
  });
  renderer = createRenderer(message.canvas, engine, model);
  phase = "run";
  scope.postMessage({
    kind: "running",
    running: { backend: chosen, model, form, adapter: facts?.name ?? null },
  });
}

/** Runtime and model, side by side, with their common progress; kept for the next visit. */
async function download(
  runtime: RuntimeFiles,
  files: readonly BundleFile[],
  { place, models, nocache }: Start,
): Promise<Downloads> {
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
  const mode = nocache ? "reload" : "default";
  const contents = await fetchFiles(known, { cache, mode }, (received, total) =>
    scope.postMessage({ kind: "progress", received, total }),
  );
  void Promise.all(owners.map(([owner, digests]) => cache?.settle(owner, digests)));
  return { binary: contents[0]!, files: contents.slice(1) };
}

/** A device whose loss, or whose first validation error, is this worker's failure. */
async function watched(adapter: GPUAdapter, timings: boolean): Promise<GPUDevice> {
  const device = await openDevice(adapter, timings);
  void device.lost.then(({ reason, message }) =>
    fail(new Error(`the graphics device was lost (${reason}): ${message}`)),
  );
  device.addEventListener("uncapturederror", ({ error }) => fail(new Error(error.message)));
  return device;
}

async function draw(pose: CameraPose): Promise<void> {
  const began = performance.now();
  const stages = await renderer!.render(pose, size);
  scope.postMessage({ kind: "drawn", milliseconds: performance.now() - began, stages });
}

async function capture(id: number, pose: CameraPose): Promise<void> {
  await draw(pose);
  const picture = await renderer!.read();
  scope.postMessage({ kind: "captured", id, picture }, [picture.rgba.buffer]);
}

function fail(error: unknown): void {
  loop.stop();
  if (failed) return;
  failed = true;
  scope.postMessage({ kind: "failed", phase, backend, trouble: partsOf(error, DOING[phase]) });
}
