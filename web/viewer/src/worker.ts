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
import { FrameLoop } from "./frame_loop";
import { factsOf, findAdapter, openDevice, watch, withinMemory } from "./gpu";
import type { CameraPose } from "./manifest";
import { type Model, reducedOf } from "./models";
import type { FromWorker, Look, Phase, Picture, Size, Start, ToWorker } from "./protocol";
import { createRenderer, type Renderer } from "./renderer";
import { Renditions } from "./renditions";
import { contentsFrom, filesToRun, type Host, startEngine, startRuntime } from "./runtime";
import { runtimeFiles } from "./runtime_files";
import { fetchAll, fetchMore } from "./scene_files";
import { agreement, fetchPicture, RIGHT, wrongText } from "./self_check";
import { causeOf, partsOf, WrongPicture } from "./trouble";

/** The part of a worker's global scope that is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
}

const DOING: Record<Phase, string> = {
  load: "loading the scene",
  start: "starting the model",
  run: "drawing",
};

/** How long a start waits for a poster that is later than everything else, in milliseconds. */
const PATIENCE = 3000;

const scope = self as unknown as WorkerScope;
const loop = new FrameLoop<CameraPose>(draw, fail);
let phase: Phase = "load";
let planned: Plan | null = null;
let models: readonly Model[] = [];
let size: Size = { width: 1, height: 1 };
let renditions: Renditions | null = null;
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
      loop.enqueue(async () => renditions?.redraw(size)).catch(fail);
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
  const poster = fetchPicture(truthFor(model, message)); // while everything else comes
  const runtime = runtimeFiles(backend, message.threads);
  const wanted = filesToRun(model, form, backend);
  const { binary, files } = await fetchAll(runtime, wanted, message, (received, total) =>
    scope.postMessage({ kind: "progress", received, total }),
  );
  phase = "start";
  const { timings, verbose, canvas, envelope, truth } = message;
  const device =
    adapter !== null && backend === "webgpu" ? await openDevice(adapter, timings) : null;
  if (device !== null) watch(device, fail);
  const contents = contentsFrom(form, wanted, files);
  const check = await withinMemory(device, async () => {
    const host = await startRuntime(runtime, binary.buffer, device, verbose);
    const engine = await startEngine(host, model, contents);
    const renderer = createRenderer(canvas, engine, model, envelope);
    renditions = new Renditions(renderer, reducedStarter(planned!, host, message), message.fps);
    return selfCheck(renderer, truth.camera, await Promise.race([poster, after(PATIENCE)]));
  });
  const name = facts?.name ?? null;
  const wrong = judge(check, backend, name);
  phase = "run";
  scope.postMessage({ kind: "running", running: { backend, model, form, adapter: name, check } });
  if (wrong !== null) scope.postMessage({ kind: "note", text: wrong });
}

/** Where torch's picture of the start camera is, in the size of `model`. */
const truthFor = ({ whole }: Model, { truth }: Start): string =>
  whole === undefined ? truth.image : (truth.reduced ?? truth.image);

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

/** The same model at half its size, for moving cameras; null where there is none. */
function reducedStarter(
  { model, form, backend }: Plan,
  host: Host,
  message: Start,
): (() => Promise<Renderer>) | null {
  const reduced = reducedOf(model);
  if (reduced === null) return null;
  const named = filesToRun(reduced, form, backend);
  return async () => {
    const contents = contentsFrom(form, named, await fetchMore(named, message));
    const engine = await withinMemory(host.device, () => startEngine(host, reduced, contents));
    return createRenderer(message.canvas, engine, reduced, message.envelope);
  };
}

/** Resolves to whether the picture is as good as it gets. */
async function draw(pose: CameraPose, resting: boolean): Promise<boolean> {
  const { times, stages, rendition, done } = await renditions!.render(pose, size, resting);
  scope.postMessage({ kind: "drawn", times, stages, rendition });
  return done;
}

function lookAt(look: Look): void {
  renditions?.look(look);
  renditions?.redraw(size);
}

async function probe(id: number, x: number, y: number): Promise<void> {
  const depth = (await renditions?.depthAt(x, y)) ?? null;
  scope.postMessage({ kind: "probed", id, depth });
}

/** In full size, as at rest. */
async function capture(id: number, pose: CameraPose): Promise<void> {
  await draw(pose, true);
  const picture = await renditions!.full.read();
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
