/**
 * The page: puts the parts together.
 *
 *     address -> options -> scene   -> session (picture, steering) <- tools (buttons, keys)
 *                        -> gallery, where there is none but scenes/index.json
 *     dropped files      -> scene   -> session in the last one's place
 */
import "./style.css";
import "./chrome.css";
import "./panels.css";
import "./path.css";

import { runBench } from "./bench_page";
import { element, made } from "./dom";
import { type Files, sceneFrom } from "./drop";
import { attachDropZone, chooseFiles } from "./drop_zone";
import { attachEmbed, guardWheel } from "./embed";
import { linkBack, loadGallery, showGallery } from "./gallery";
import { Hud } from "./hud";
import { Messages } from "./message";
import { halfSizes } from "./models";
import { isolate, keepOffline } from "./offline";
import { askedPose, type Options, parseOptions } from "./options";
import { type CameraPath, fitted, loadPath, parsePath, pathAmong } from "./path_file";
import { loadScene, type Scene } from "./scene";
import { Session } from "./session";
import { Tools } from "./tools";
import { partsOf, Trouble, type TroubleParts } from "./trouble";
import { VIEW, writeState } from "./view_state";

const page = new URL(location.href);
const hud = new Hud();
const messages = new Messages();
let session: Session | null = null;
const tools = new Tools(() => session, messages);

async function open(): Promise<void> {
  const options = parseOptions(page.searchParams);
  const { dataset } = document.documentElement;
  if (!options.ui) dataset["ui"] = "off";
  if (options.embed) dataset["embed"] = "";
  if (options.embed) guardWheel();
  else acceptFiles(options);
  checkBrowser();
  const notes: string[] = [];
  await isolate(options.threads, (text) => notes.push(text));
  const asked = askedPath(options);
  const scene = await sceneOrGallery(options);
  if (scene === null) return;
  const path = await asked;
  show(scene, options, path);
  for (const text of notes) messages.note(text); // a new scene clears what was said before
  if (options.compare !== null) void session?.compare(options.compare);
  if (options.scene?.startsWith("scenes/")) await attachGallery(options.scene);
}

/** The camera path that the address asks for, or why there is none: the scene is shown all the same. */
async function askedPath({
  path,
  scene,
  bench,
}: Options): Promise<CameraPath | TroubleParts | null> {
  if (path === null || bench) return null;
  return loadPath(path, page, scene ?? "scene/").catch((error: unknown) =>
    partsOf(error, "opening the camera path"),
  );
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

/** The scene that is asked for, or the one beside the page; null where the gallery is shown. */
async function sceneOrGallery({ scene }: Options): Promise<Scene | null> {
  if (scene !== null) return loadScene(scene, page);
  try {
    return await loadScene("scene/", page);
  } catch (error) {
    const entries = await loadGallery(page);
    if (entries === null) throw error;
    showGallery(entries, page);
    return null;
  }
}

/** Show `scene` in place of the last one. */
function show(scene: Scene, options: Options, path: CameraPath | TroubleParts | null = null): void {
  const { width, height } = scene.manifest.models[0]!;
  const film = path !== null && "poses" in path ? fitted(path, width / height) : null;
  const asked = film?.poses[0] ?? askedPose(options, scene.manifest);
  if (options.half) halfSizes(scene.manifest.models); // throws before anything is begun
  tools.close();
  session?.close();
  messages.clear();
  element("gallery").hidden = true;
  // A bench times the full size, and a camera that nobody else moves.
  const still = { ...options, rotate: false, fps: options.fps ?? 1 };
  const shown = new Session(scene, options.bench ? still : options, asked, hud, messages, {
    changed: () => tools.update(),
    failed: (trouble) => session === shown && failed(trouble),
  });
  session = shown;
  if (film !== null) shown.play(film, true);
  else if (path !== null) messages.error(path as TroubleParts, "action");
  tools.follow();
  if (options.embed) attachEmbed(scene.manifest.name);
  void shown.ready.then(
    () => keepOffline(options),
    () => {},
  );
  const bench = once(() => shown.ready.then(() => runBench(shown)));
  if (options.bench) void bench();
  window.pocketfield = {
    ready: shown.ready,
    manifest: scene.manifest,
    camera: () => shown.camera,
    frame: (pose) => shown.capture(pose),
    look: (look) => shown.setLook(look),
    depthAt: (x, y) => shown.depthAt(x, y),
    stats: () => shown.stats(),
    bench,
  };
}

/** `start`, whose result is kept for whoever asks again. */
function once<Result>(start: () => Promise<Result>): () => Promise<Result> {
  let started: Promise<Result> | null = null;
  return () => (started ??= start());
}

/** The way back, and the other scenes to compare with. Where there is no gallery: neither. */
async function attachGallery(path: string): Promise<void> {
  const entries = await loadGallery(page).catch(() => null);
  if (entries === null) return;
  const back = element<HTMLAnchorElement>("back");
  back.href = linkBack(page);
  back.hidden = document.documentElement.dataset["embed"] !== undefined;
  tools.neighbours = entries.filter((entry) => entry.path !== path);
  tools.update();
}

/** Scenes from the visitor's own files. */
function acceptFiles(options: Options): void {
  const opened = (files: Promise<Files>): void => void openFiles(files, options);
  attachDropZone(opened);
  element("open-files").addEventListener("click", () => chooseFiles(false, opened));
  element("open-folder").addEventListener("click", () => chooseFiles(true, opened));
}

/** What is shown stays where the files are no scene. */
async function openFiles(files: Promise<Files>, options: Options): Promise<void> {
  try {
    const found = await files;
    const path = pathAmong(found);
    if (path !== null) return await playFile(...path);
    const scene = await sceneFrom(found);
    element<HTMLDialogElement>("help").close();
    writeState(VIEW, null); // of the last scene
    show(scene, { ...options, pose: null, reference: null, compare: null });
  } catch (error) {
    element<HTMLDialogElement>("help").close();
    const trouble = partsOf(error, "opening the files");
    if (document.documentElement.dataset["state"] === "failed") failed(trouble);
    else messages.error(trouble, "action");
  }
}

/** A dropped camera path is for the scene that is shown. */
async function playFile(name: string, content: Blob): Promise<void> {
  const path = parsePath(await content.text(), name);
  if (session === null) {
    const [expected, remedy] = ["a scene to play it in", "open a scene first, then drop the path"];
    throw new Trouble(`the camera path ${name}`, "no scene", expected, remedy);
  }
  element<HTMLDialogElement>("help").close();
  messages.clear();
  session.play(path, false);
}

function failed(trouble: TroubleParts): void {
  hud.failed();
  const choose = made("button", "Open a scene of your own…", {
    type: "button",
    onclick: () => element<HTMLDialogElement>("help").showModal(),
  });
  messages.error(trouble, "scene", [choose]);
}

/** Where there is a picture it stays. */
function wentWrong(error: unknown): void {
  const trouble = partsOf(error, "the page");
  if (document.documentElement.dataset["state"] === "ready") messages.error(trouble, "action");
  else failed(trouble);
}

window.addEventListener("error", ({ error, message }) => {
  // A layout that takes two rounds is no fault, but browsers report it like one.
  if (!message.startsWith("ResizeObserver loop")) wentWrong(error ?? message);
});
window.addEventListener("unhandledrejection", ({ reason }) => wentWrong(reason));
open().catch((error: unknown) => failed(partsOf(error, "opening the page")));
