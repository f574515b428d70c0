/**
 * The worker: downloads, runs and draws. The page itself only says which camera.
 *
 *     start -> adapter, plan -> runtime and weights -> engine -> renderer -> self-check
 *     then show, rest, look, capture, probe, resize, pause
 *
 * One worker lives as long as its graphics device. It reports its first failure and draws nothing
 * after it; what comes next is for the page to decide (recovery.ts).
 */
import { openFileCache } from "./cache";
import { type Plan, plan, runnable } from "./device";
import { fetchFiles, type KnownFile } from "./download";
import { FrameLoop } from "./frame_loop";
import { factsOf, findAdapter, openDevice, watch, withinMemory } from "./gpu";
import type { BundleFile, CameraPose, ModelFile } from "./manifest";
import type { FromWorker, Look, Phase, Picture, Size, Start, ToWorker } from "./protocol";
import { createRenderer, type Renderer } from "./renderer";
import { contentsFrom, filesToRun, startEngine } from "./runtime";
import { RUNTIME_DIGESTS, type RuntimeFiles, runtimeFiles } from "./runtime_files";
import { digestsOf, knownFile } from "./scene";
import { agreement, fetchPicture, RIGHT, wrongText } from "./self_check";
import { causeOf, partsOf, WrongPicture } from "./trouble";

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
let planned: Plan | null = null;
let models: readonly ModelFile[] = [];
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
      loop.enqueue(() => probe(data.id, data.x, data.y)).catch(fail);
      break;
    case "rest":
      loop.rest();
      break;
    case "look":
      loop.enqueue(async () => lookAt(data.look)).catch(fail);
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
  const { backend, model, form } = (planned = plan(message.models, facts, message.request));
  models = runnable(message.models, backend, facts);
  const poster = fetchPicture(message.truth.image); // while everything else comes
  const runtime = runtimeFiles(backend, message.threads);
  const wanted = filesToRun(model, form, backend);
  const { binary, files } = await download(runtime, wanted, message);
  phase = "start";
  const contents = contentsFrom(form, files);
  const { timings, verbose, canvas, envelope, truth } = message;
  const device =
    adapter !== null && backend === "webgpu" ? await openDevice(adapter, timings) : null;
  if (device !== null) watch(device, fail);
  const where = device === null ? "The processor" : `WebGPU on this device (${facts!.name})`;
  const check = await withinMemory(device, async () => {
    const ingredients = { runtime, binary: binary.buffer, model, contents, device, verbose };
    const engine = await startEngine(ingredients);
    renderer = createRenderer(canvas, engine, model, envelope);
    return selfCheck(renderer, truth.camera, await poster);
  });
  const wrong = check !== null && check < RIGHT ? wrongText(where, check) : null;
  if (wrong !== null && backend === "webgpu") throw new WrongPicture(wrong);
  phase = "run";
  const adapterName = facts?.name ?? null;
  scope.postMessage({
    kind: "running",
    running: { backend, model, form, adapter: adapterName, check },
  });
  if (wrong !== null) scope.postMessage({ kind: "note", text: wrong });
}

/** PSNR of the start camera's picture against `poster`; null without one. Shows nothing. */
async function selfCheck(
  renderer: Renderer,
  camera: CameraPose,
  poster: Picture | null,
): Promise<number | null> {
  return poster === null ? null : agreement(await renderer.compute(camera), poster);
}

/** Runtime and model, side by side, with their common progress; kept for the next visit. */
async function download(
  runtime: RuntimeFiles,
  files: readonly BundleFile[],
  { place, models, nocache }: Start,
): Promise<Downloads> {
  void runtime.load().catch(() => {}); // its script, meanwhile; the engine hears of a failure
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

/** Resolves to whether the picture is as good as it gets: with one model it always is. */
async function draw(pose: CameraPose): Promise<boolean> {
  const cost = await renderer!.render(pose, size);
  scope.postMessage({ kind: "drawn", ...cost });
  return true;
}

function lookAt(look: Look): void {
  renderer?.look(look);
  renderer?.redraw(size);
}

async function probe(id: number, x: number, y: number): Promise<void> {
  const depth = (await renderer?.depthAt(x, y)) ?? null;
  scope.postMessage({ kind: "probed", id, depth });
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
  const { backend, model } = planned ?? { backend: null, model: null };
  const [cause, trouble] = [causeOf(error), partsOf(error, DOING[phase])];
  scope.postMessage({ kind: "failed", phase, cause, backend, model, models, trouble });
}
