/**
 * The real panel for browser tests: `streamlit run` on a folder with one tiny run, and a page of it that hears of every
 * request and every complaint.
 */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { launch } from "./browser.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PYTHON = process.env.PYTHON ?? path.join(ROOT, ".venv/bin/python");
const ENV = {
  ...process.env,
  PYTHONPATH: ROOT,
  OMP_NUM_THREADS: "1",
  OMP_WAIT_POLICY: "passive",
};
/** Milliseconds, for a machine that is busy. */
export const PATIENCE = 180_000;

/** The name of the run that the panel shows. */
export const RUN = "pebble";

/**
 * A panel that serves one tiny run, and a browser that has never been there. `complaints` collects errors and warnings
 * of its console, `requests` all addresses that were asked for.
 */
export async function openPanel(options = {}) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "pocketfield-panel-"));
  await writeRun(path.join(folder, RUN));
  const server = await startPanel(folder);
  const { context, close } = await launch("none", {
    viewport: { width: 1280, height: 900 },
    colorScheme: "light",
    acceptDownloads: true,
    ...options,
  });
  const [complaints, requests] = [[], []];
  context.on("request", (request) => requests.push(request.url()));
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(server.origin);
  return {
    page,
    complaints,
    requests,
    origin: server.origin,
    close: async () => {
      await close();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * A tiny run whose test views are compared already: the process that made it has torch at hand.
 * @param {string} folder
 */
async function writeRun(folder) {
  const code = `
import sys, pathlib
from export.compare.batch import compare_run
from export.runs import read_run
from tests.runs import Shape, write_run
compare_run(read_run(write_run(pathlib.Path(sys.argv[1]), Shape(train=8, test=2))))
`;
  await promisify(execFile)(PYTHON, ["-c", code, folder], { cwd: ROOT, env: ENV });
}

/**
 * The panel on a folder of runs.
 * @param {string} runs
 * @param {NodeJS.ProcessEnv} env
 */
export async function startPanel(runs, env = ENV) {
  const port = await freePort();
  const settings = ["--server.port", String(port), "--server.address", "127.0.0.1"];
  const server = spawn(
    PYTHON,
    ["-m", "streamlit", "run", "web/panel/app.py", ...settings, "--", "--runs", runs],
    { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] },
  );
  let said = "";
  for (const stream of [server.stdout, server.stderr]) stream.on("data", (text) => (said += text));
  const ended = new Promise((resolve) => server.on("close", resolve));
  const origin = `http://127.0.0.1:${port}`;
  const until = Date.now() + PATIENCE;
  while (!(await answers(`${origin}/_stcore/health`))) {
    if (server.exitCode !== null || Date.now() > until) throw new Error(`no panel:\n${said}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const close = async () => {
    server.kill("SIGKILL"); // it has nothing to save
    await ended;
  };
  return { origin, close, said: () => said };
}

const answers = (address) =>
  fetch(address).then(
    (response) => response.ok,
    () => false,
  );

/** A port that nobody listens on, a moment ago. */
async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await new Promise((closed) => server.close(closed));
  return port;
}

/** A row of panes: what is in it, and what hands can do to it. */
export class Row {
  constructor(page, root) {
    this.page = page;
    this.root = root;
    this.frames = root.locator(".frame");
  }

  button(name) {
    return this.root.getByRole("button", { name, exact: true });
  }

  get divider() {
    return this.root.getByRole("slider", { name: /^Divider/ });
  }

  titles() {
    return this.root.locator(".title").allTextContents();
  }

  /**
   * How much each canvas shows: the number of its colours, and a number that tells pictures apart. Of a small copy:
   * Chromium complains where a canvas that is drawn to is read again and again.
   */
  pictures() {
    return this.root.locator("canvas").evaluateAll((canvases) =>
      canvases.map((/** @type {HTMLCanvasElement} */ canvas) => {
        const copy = new OffscreenCanvas(96, 96).getContext("2d", { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0, 96, 96);
        const pixels = new Uint32Array(copy.getImageData(0, 0, 96, 96).data.buffer);
        let hash = 0;
        for (const pixel of pixels) hash = (Math.imul(hash, 31) + pixel) | 0;
        return { colours: new Set(pixels).size, hash };
      }),
    );
  }

  /** Wait until `holds` of the pictures; what they then are. */
  async until(holds, what, pause = 150) {
    const until = Date.now() + PATIENCE;
    for (;;) {
      const pictures = await this.pictures();
      if (holds(pictures)) return pictures;
      if (Date.now() > until) throw new Error(`${what}: ${JSON.stringify(pictures)}`);
      await this.page.waitForTimeout(pause);
    }
  }

  /** As many panes, each with a picture that is more than one colour. */
  filled(count) {
    return this.until(
      (pictures) => pictures.length === count && pictures.every(({ colours }) => colours > 10),
      `${count} filled panes`,
    );
  }

  /** Press in the middle of a pane, move by (dx, dy) fractions of it in steps, let go. */
  async drag(pane, dx, dy) {
    const { x, y, width, height } = await this.frames.nth(pane).boundingBox();
    await this.page.mouse.move(x + width / 2, y + height / 2);
    await this.page.mouse.down();
    await this.page.mouse.move(x + (0.5 + dx) * width, y + (0.5 + dy) * height, { steps: 6 });
    await this.page.mouse.up();
  }
}

/** The panes that are visible on the page, the `nth` row of them. */
export async function row(page, nth = 0) {
  const root = page.locator(".stBidiComponent .root:visible").nth(nth);
  await root.locator("canvas").first().waitFor({ timeout: PATIENCE });
  await root.scrollIntoViewIfNeeded();
  return new Row(page, root);
}
