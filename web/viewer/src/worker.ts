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
import { checkDigest, open, readExactly } from "./download";
import { FrameLoop } from "./frame_loop";
import { factsOf, findAdapter, openDevice } from "./gpu";
import type { CameraPose, ModelFile } from "./manifest";
import type { FromWorker, Phase, Size, Start, ToWorker } from "./protocol";
import { createRenderer, type Renderer } from "./renderer";
import { type RuntimeFiles, runtimeFiles, startEngine } from "./runtime";
import { modelUrl } from "./scene";
import { partsOf } from "./trouble";

/** The part of a worker's global scope that is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
}

type Downloads = readonly [binary: Uint8Array<ArrayBuffer>, weights: Uint8Array<ArrayBuffer>];

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
  const { backend: chosen, model } = plan(message.models, facts, message.preference);
  backend = chosen;
  const files = await runtimeFiles(chosen);
  const [binary, weights] = await download(files, model, new URL(message.base));
  phase = "start";
  const device = adapter !== null && chosen === "webgpu" ? await watched(adapter) : null;
  const engine = await startEngine({
    files,
    binary: binary.buffer,
    model,
    weights,
    device,
    verbose: message.verbose,
  });
  renderer = createRenderer(message.canvas, engine, model);
  phase = "run";
  scope.postMessage({
    kind: "running",
    running: { backend: chosen, model, adapter: facts?.name ?? null },
  });
}

/** Runtime and weights, side by side, with their common progress. */
async function download(files: RuntimeFiles, model: ModelFile, base: URL): Promise<Downloads> {
  const received = { runtime: 0, model: 0 };
  const total = files.bytes + model.bytes;
  const track = (part: keyof typeof received) => (bytes: number) => {
    received[part] = bytes;
    scope.postMessage({ kind: "progress", received: received.runtime + received.model, total });
  };
  const runtime = { url: new URL(files.wasm, import.meta.url), thing: "ONNX Runtime" };
  const weights = { url: modelUrl(model, base), thing: `the model ${model.file}` };
  const downloads = await Promise.all([
    open(runtime.url, runtime.thing).then((it) =>
      readExactly(it, files.bytes, runtime.thing, track("runtime")),
    ),
    open(weights.url, weights.thing).then((it) =>
      readExactly(it, model.bytes, weights.thing, track("model")),
    ),
  ]);
  await checkDigest(downloads[1], model.sha256, weights.thing);
  return downloads;
}

/** A device whose loss, or whose first validation error, is this worker's failure. */
async function watched(adapter: GPUAdapter): Promise<GPUDevice> {
  const device = await openDevice(adapter);
  void device.lost.then(({ reason, message }) =>
    fail(new Error(`the graphics device was lost (${reason}): ${message}`)),
  );
  device.addEventListener("uncapturederror", ({ error }) => fail(new Error(error.message)));
  return device;
}

async function draw(pose: CameraPose): Promise<void> {
  const began = performance.now();
  await renderer!.render(pose, size);
  scope.postMessage({ kind: "drawn", milliseconds: performance.now() - began });
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
