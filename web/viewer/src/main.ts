/**
 * The page: puts the parts together.
 *
 *     address -> options, scene -> stage + viewer (worker) <- poses <- steering
 */
import "./style.css";

import { attachButtons, element, Hud } from "./hud";
import type { CameraPose } from "./manifest";
import { Messages } from "./message";
import { askedPose, type Options, parseOptions } from "./options";
import { addressOf, loadScene, type Scene } from "./scene";
import { Stage } from "./stage";
import { Steering } from "./steering";
import { partsOf, Trouble, type TroubleParts } from "./trouble";
import { readState, VIEW } from "./view_state";
import { Viewer } from "./viewer";

const hud = new Hud();
const messages = new Messages(element("message"));

function failed(trouble: TroubleParts): void {
  hud.failed();
  messages.error(trouble);
}

async function open(): Promise<void> {
  const options = parseOptions(new URLSearchParams(location.search));
  if (!options.ui) document.documentElement.dataset["ui"] = "off";
  checkBrowser();
  const scene = await loadScene(options.scene, new URL(location.href));
  const asked = askedPose(options, scene.manifest);
  const elsewhere = asked !== null || readState().has(VIEW);
  hud.open(scene.manifest.name, elsewhere ? null : addressOf(scene.manifest.poster, scene));
  show(scene, options, asked);
}

function checkBrowser(): void {
  if ("transferControlToOffscreen" in HTMLCanvasElement.prototype) return;
  throw new Trouble(
    "this browser",
    "no OffscreenCanvas",
    "Chrome 113, Firefox 114, Safari 17 or later",
    "update it, or open the page in another browser",
  );
}

/** Start drawing, and let the visitor move. */
function show(scene: Scene, options: Options, asked: CameraPose | null): void {
  const { manifest } = scene;
  const { promise: ready, resolve, reject } = deferred();
  const stage = new Stage(element("picture"), manifest, (size) => viewer.resize(size));
  const viewer = new Viewer(scene, options, stage, {
    progress: (received, total) => hud.progress(received, total),
    running: (running) => hud.running(running),
    drawn: () => {
      hud.drawn(() => viewer.stats());
      resolve();
    },
    note: (text) => messages.note(text),
    failed: (trouble) => {
      reject(new Error(`${trouble.thing}: ${trouble.given}`));
      failed(trouble);
    },
  });
  const { rotate } = options;
  const steering = new Steering(
    manifest,
    { pose: asked, rotate },
    {
      moved: (pose) => viewer.show(pose),
      rested: () => viewer.rest(),
      touched: () => hud.touched(),
      depthAt: (x, y) => viewer.depthAt(x, y),
    },
  );
  void ready.then(
    () => steering.start(),
    () => {},
  );
  attachButtons(() => steering.reset());
  pauseWhileUnseen(viewer);
  window.pocketfield = {
    ready,
    manifest,
    camera: () => steering.camera,
    frame: (pose) => viewer.capture(pose),
    stats: () => viewer.stats(),
  };
}

/** No frame is drawn while the page is hidden or scrolled out of sight. */
function pauseWhileUnseen(viewer: Viewer): void {
  let onScreen = true;
  const update = (): void => viewer.pause(document.hidden || !onScreen);
  document.addEventListener("visibilitychange", update);
  new IntersectionObserver(([entry]) => {
    onScreen = entry?.isIntersecting ?? true;
    update();
  }).observe(element("picture"));
}

function deferred(): {
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: Error) => void;
} {
  let resolve = (): void => {};
  let reject = (_: Error): void => {};
  const promise = new Promise<void>((yes, no) => ([resolve, reject] = [yes, no]));
  promise.catch(() => {}); // whoever waits hears of it; the page itself has said so already
  return { promise, resolve, reject };
}

window.addEventListener("error", (event) =>
  failed(partsOf(event.error ?? event.message, "the page")),
);
window.addEventListener("unhandledrejection", (event) => failed(partsOf(event.reason, "the page")));
open().catch((error: unknown) => failed(partsOf(error, "opening the page")));
