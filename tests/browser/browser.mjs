/** A real Chromium, with the graphics card that software makes, or with none. */
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";

const viewer = new URL("../../web/viewer/package.json", import.meta.url);
const { chromium } = createRequire(viewer)("playwright-core");

const QUIET = [
  "--no-sandbox", // for root, in containers
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
];

/**
 * SwiftShader for compute and for the canvas. The three Vulkan and ANGLE flags only work together:
 * with any two of them the device is lost as soon as a WebGPU canvas is presented (Chromium 156).
 */
const SOFTWARE_GPU = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--use-vulkan=swiftshader",
  "--use-angle=swiftshader",
  "--ignore-gpu-blocklist",
];

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** $CHROME, or the first Chromium on the PATH, or the one that playwright-core has downloaded. */
export function findBrowser() {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const installed = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  const found = [process.env.CHROME, ...installed, chromium.executablePath()].find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(`no browser: set CHROME, or install one of ${NAMES.join(", ")}`);
}

function isExecutable(file) {
  if (!file) return false;
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * A fresh profile: `gpu` "software" (WebGPU on SwiftShader) or "none" (what a visitor without a
 * graphics card has: `navigator.gpu` exists, but gives no adapter). `close` also removes the
 * profile.
 */
export async function launch(gpu, options = {}) {
  const profile = mkdtempSync(path.join(os.tmpdir(), "pocketfield-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findBrowser(),
    headless: true,
    args: [...QUIET, ...(gpu === "software" ? SOFTWARE_GPU : [])],
    ...options,
  });
  const close = async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { context, close };
}

/** From now on `window.tasks` has the milliseconds of every task above 50 ms on the page's own thread. */
export const watchLongTasks = (page) =>
  page.evaluate(() => {
    const tasks = [];
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) tasks.push(duration);
    }).observe({ entryTypes: ["longtask"] });
    Object.assign(window, { tasks });
  });
