/**
 * The worker: downloads, runs and draws. The page itself only says which camera.
 *
 *     start -> adapter, plan -> runtime and weights -> engine -> renderer -> self-check
 *     then show, rest, look, capture, probe, resize, pause
 *
 * One worker lives as long as its graphics device. It reports its first failure and draws nothing
 * after it; what comes next is for the page to decide (recovery.ts).
 */
import { type Backend, type Plan, plan, runnable } from "./device";
import { checkDigest, open, readExactly } from "./download";
import { FrameLoop } from "./frame_loop";
import { factsOf, findAdapter, openDevice, watch, withinMemory } from "./gpu";
import type { BundleFile, CameraPose, ModelFile } from "./manifest";
import type { FromWorker, Look, Phase, Picture, Size, Start, ToWorker } from "./protocol";
import { createRenderer, type Renderer } from "./renderer";
import { contentsFrom, filesToRun, type RuntimeFiles, runtimeFiles, startEngine } from "./runtime";
import { fileUrl, type Place } from "./scene";
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

/** How long a start waits for a poster that is later than everything else, in milliseconds. */
const PATIENCE = 3000;

const scope = self as unknown as WorkerScope;
const channel = new MessageChannel();
const loop = new FrameLoop<CameraPose>((pose) => draw(pose), fail, breathe);
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

/** Until every message that waits now has been heard: a message to oneself comes after them. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(null);
  });
}

async function start(message: Start): Promise<void> {
  size = message.size;
  const adapter = await findAdapter();
  const facts = adapter === null ? null : factsOf(adapter);
  const { backend, model, form } = (planned = plan(message.models, facts, message.request));
  models = runnable(message.models, backend, facts);
  const poster = fetchPicture(message.truth.image); // while everything else comes
  const runtime = await runtimeFiles(backend);
  const wanted = filesToRun(model, form, backend);
  const { binary, files } = await download(runtime, wanted, message.place);
  phase = "start";
  const { timings, verbose, canvas, envelope, truth } = message;
  const device =
    adapter !== null && backend === "webgpu" ? await openDevice(adapter, timings) : null;
  if (device !== null) watch(device, fail);
  const contents = contentsFrom(form, files);
  const check = await withinMemory(device, async () => {
    const ingredients = { runtime, binary: binary.buffer, model, contents, device, verbose };
    const engine = await startEngine(ingredients);
    renderer = createRenderer(canvas, engine, model, envelope);
    return selfCheck(renderer, truth.camera, await Promise.race([poster, after(PATIENCE)]));
  });
  const name = facts?.name ?? null;
  const wrong = judge(check, backend, name);
  phase = "run";
  scope.postMessage({ kind: "running", running: { backend, model, form, adapter: name, check } });
  if (wrong !== null) scope.postMessage({ kind: "note", text: wrong });
}

/** Null, after a while. */
const after = (milliseconds: number): Promise<null> =>
  new Promise((resolve) => setTimeout(() => resolve(null), milliseconds));

/** PSNR of the start camera's picture against `poster`; null without one. Shows nothing. */
async function selfCheck(
  renderer: Renderer,
  camera: CameraPose,
  poster: Picture | null,
): Promise<number | null> {
  return poster === null ? null : agreement(await renderer.compute(camera), poster);
}

/**
 * What to tell the visitor of a picture that is wrong. Throws WrongPicture where there is another
 * backend to try.
 */
function judge(check: number | null, backend: Backend, adapter: string | null): string | null {
  if (check === null || check >= RIGHT) return null;
  const where = backend === "wasm" ? "The processor" : `WebGPU on this device (${adapter})`;
  const text = wrongText(where, check);
  if (backend === "webgpu") throw new WrongPicture(text);
  return text;
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
