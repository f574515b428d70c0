/**
 * `python -m export report`: the file opens from a disk, asks for nothing, and can be worked with
 * mouse, keyboard and screen reader, with scripts and without.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { launch } from "./browser.mjs";

const require = createRequire(new URL("../../web/viewer/package.json", import.meta.url));
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const root = fileURLToPath(new URL("../..", import.meta.url));

let folder;
let address;
before(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "pocketfield-report-"));
  const python = process.env.PYTHON ?? path.join(root, ".venv/bin/python");
  execFileSync(python, ["-m", "tests.export.report_cases", folder], { cwd: root });
  address = pathToFileURL(path.join(folder, "report.html")).href;
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Open the report; what it asks for and complains of is collected. */
async function open(options = {}) {
  const browser = await launch("none", options);
  const page = await browser.context.newPage();
  const troubles = [];
  page.on("console", (message) => troubles.push(message.text()));
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith("data:") && request.url() !== address)
      troubles.push(request.url());
  });
  await page.goto(address);
  return { page, troubles, close: browser.close };
}

const views = (page) =>
  page
    .locator("article.view")
    .evaluateAll((articles) => articles.map(({ dataset }) => dataset.name));
const column = (table, number) =>
  table.locator(`tbody tr > :nth-child(${number})`).allTextContents();

describe("with scripts", () => {
  let page;
  let troubles;
  let close;
  before(async () => ({ page, troubles, close } = await open()));
  after(() => close());

  it("asks for nothing and complains of nothing", () => assert.deepEqual(troubles, []));

  it("sorts a table by the heading that is pressed, one way and then the other", async () => {
    const table = page.locator("#views table");
    const heading = table.getByRole("button", { name: "student, dB", exact: true });
    await heading.click();
    const up = await column(table, 5);
    assert.deepEqual(up, ["27.00", "28.50", "30.00", "31.00", "33.25"]);
    await heading.press("Enter");
    assert.deepEqual(await column(table, 5), up.toReversed());
    const sorted = table.locator("th[aria-sort]");
    assert.equal(await sorted.getAttribute("aria-sort"), "descending");
    assert.equal(await sorted.textContent(), "student, dB");
  });

  it("keeps rows without a figure last, whichever way it sorts", async () => {
    const table = page.locator("#views table");
    const heading = table.getByRole("button", { name: "teacher, dB", exact: true });
    for (let times = 0; times < 2; times++) {
      await heading.click();
      assert.equal((await column(table, 4)).at(-1), "–");
    }
  });

  it("shows views in the order that is asked for", async () => {
    assert.deepEqual(await views(page), ["e", "b", "d", "a", "c"]);
    await page.getByLabel("Order").selectOption("best first");
    assert.deepEqual(await views(page), ["c", "a", "d", "b", "e"]);
    await page.getByLabel("Order").selectOption("most novel first");
    assert.deepEqual(await views(page), ["e", "c", "b", "d", "a"]);
    await page.getByLabel("Order").selectOption("by name");
    assert.deepEqual(await views(page), ["a", "b", "c", "d", "e"]);
  });

  const cut = (pair) =>
    pair.evaluate((it) => parseFloat(getComputedStyle(it).getPropertyValue("--cut")));

  it("divides two pictures where the mouse drags to, and by the keyboard", async () => {
    const pair = page.locator(".pair").first();
    const stack = pair.locator(".stack");
    await stack.scrollIntoViewIfNeeded();
    const box = await stack.boundingBox();
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + 5, y);
    await page.mouse.down();
    await page.mouse.move(box.x + 0.75 * box.width, y, { steps: 4 });
    await page.mouse.up();
    await page.mouse.move(box.x + 5, y); // no longer dragging
    assert.ok(Math.abs((await cut(pair)) - 75) < 1.5, `${await cut(pair)}`);
    await pair.getByRole("slider").press("Home");
    assert.equal(await cut(pair), 0);
    await pair.getByRole("slider").press("ArrowRight");
    assert.equal(await cut(pair), 0.5);
  });

  it("takes the two pictures that are chosen, from the strip itself", async () => {
    const strip = page.locator(".strip").first();
    const source = (role) => strip.locator(`img[data-role="${role}"]`).getAttribute("src");
    const shown = () => strip.locator(".stack img").evaluateAll((all) => all.map((i) => i.src));
    assert.deepEqual(await shown(), [await source("truth"), await source("student")]);
    await page.getByLabel("Drag between").selectOption("teacher");
    await page.getByRole("combobox", { name: "and", exact: true }).selectOption("onnx fp16");
    assert.deepEqual(await shown(), [await source("teacher"), await source("onnx fp16")]);
    assert.equal(await strip.locator(".pair figcaption").textContent(), "teacher | onnx fp16");
  });

  it("has no slider where a picture of the two is missing", async () => {
    const strip = page.locator('article[data-name="e"] .strip');
    await page.getByLabel("Drag between").selectOption("truth");
    assert.equal(await strip.locator(".pair").isVisible(), false);
    await page.getByLabel("Drag between").selectOption("teacher");
    assert.equal(await strip.locator(".pair").isVisible(), true);
  });
});

for (const [name, options] of /** @type {[string, object][]} */ ([
  ["by day", { colorScheme: "light", viewport: { width: 1280, height: 800 } }],
  ["by night", { colorScheme: "dark", viewport: { width: 1280, height: 800 } }],
  ["on a telephone", { colorScheme: "light", viewport: { width: 360, height: 740 } }],
])) {
  it(`is accessible and no wider than the window ${name}`, async () => {
    const { page, close } = await open(options);
    try {
      await page.evaluate(AXE); // by the debugger, which the page's policy does not stop
      const found = await page.evaluate(() => window["axe"].run());
      const told = found.violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`);
      assert.deepEqual(told, []);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(width, options["viewport"].width);
    } finally {
      await close();
    }
  });
}

it("shows every picture without scripts, and nothing that would need one", async () => {
  const { page, close } = await open({ javaScriptEnabled: false });
  try {
    assert.equal(await page.locator("#tools").isVisible(), false);
    assert.equal(await page.getByRole("slider").count(), 0);
    const pictures = page.locator(".strip > figure:not(.pair) img");
    assert.ok((await pictures.count()) > 30);
    assert.equal(await pictures.last().isVisible(), true);
  } finally {
    await close();
  }
});
