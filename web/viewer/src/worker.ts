/**
 * The worker: downloads, runs and draws. The page itself only says which camera.
 *
 *     start -> adapter, plan -> runtime and weights -> engine -> renderer
 *     then show, rest, look, capture, probe, resize, pause
 *
 * One worker lives as long as its graphics device. It reports its first failure and draws nothing
 * after it; what comes next is for the page to decide (recovery.ts).
 */
import { type Backend, plan } from "./device";
import { checkDigest, open, readExactly } from "./download";
import { FrameLoop } from "./frame_loop";
import { factsOf, findAdapter, openDevice } from "./gpu";
import type { BundleFile, CameraPose } from "./manifest";
import type { FromWorker, Look, Phase, Size, Start, ToWorker } from "./protocol";
import { createRenderer, type Renderer } from "./renderer";
import { contentsFrom, filesToRun, type RuntimeFiles, runtimeFiles, startEngine } from "./runtime";
import { fileUrl, type Place } from "./scene";
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
  const { backend: chosen, model, form } = plan(message.models, facts, message.preference);
  backend = chosen;
  const runtime = await runtimeFiles(chosen);
  const wanted = filesToRun(model, form, chosen);
  const { binary, files } = await download(runtime, wanted, message.place);
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
  renderer = createRenderer(message.canvas, engine, model, message.envelope);
  phase = "run";
  scope.postMessage({
    kind: "running",
    running: { backend: chosen, model, form, adapter: facts?.name ?? null, check: null },
  });
}

/** Runtime and model, side by side, with their common progress. */
async function download(
  runtime: RuntimeFiles,
  files: readonly BundleFile[],
  place: Place,
): Promise<Downloads> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, runtime.bytes);
  const received = new Map<string, number>();
  const fetched = async (url: URL, bytes: number, thing: string) =>
    readExactly(await open(url, thing), bytes, thing, (count) => {
      received.set(thing, count);
      const sum = [...received.values()].reduce((a, b) => a + b);
      scope.postMessage({ kind: "progress", received: sum, total });
    });
  const binary = fetched(new URL(runtime.wasm, import.meta.url), runtime.bytes, "ONNX Runtime");
  const contents = files.map(async (file) => {
    const thing = `the model ${file.file}`;
    const content = await fetched(fileUrl(file, place), file.bytes, thing);
    await checkDigest(content, file.sha256, thing);
    return content;
  });
  const [first, ...rest] = await Promise.all([binary, ...contents]);
  return { binary: first, files: rest };
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
  scope.postMessage({ kind: "failed", phase, backend, trouble: partsOf(error, DOING[phase]) });
}
