/**
 * Buttons, menus and panels: what they do to the picture, to the address, and to the focus. On
 * WebAssembly.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";

import { over, psnr, readPng } from "./pictures.mjs";
import {
  atRest,
  backdrop,
  BUNDLE,
  camera,
  comesToShow,
  manifest,
  openBrowser,
  poster,
  PREFIX,
  ready,
  visible,
  visits,
} from "./site.mjs";

const { width, height } = manifest().models[0];
const VIEWPORT = { width: 900, height: 500 };
const WHITE = [255, 255, 255];

let site;
let browser;
let page;
const options = { viewport: VIEWPORT, acceptDownloads: true };
visits("none", options, async (visit) => void ({ site, browser } = visit));
afterEach(async () => {
  for (const page of browser.context.pages().slice(1)) await page.close();
});

const openAs = (query) => async () => (page = await browser.openReady(query));
const hash = () => page.evaluate(() => location.hash);
const focused = () => page.evaluate(() => document.activeElement.id);
const pressed = (id) => page.locator(id).getAttribute("aria-pressed");
const hidden = (id) => page.locator(id).isHidden();

describe("depth", () => {
  beforeEach(openAs(""));

  it("is shown by its button or D, stands in the address, and goes again", async () => {
    const colour = await visible(page);
    await page.locator("#depth").click();
    assert.equal(await pressed("#depth"), "true");
    assert.match(await hash(), /look=depth/);
    await atRest(page);
    assert.ok(psnr(colour, await visible(page)) < 25, "depth looks like colour");
    await page.keyboard.press("d");
    assert.equal(await pressed("#depth"), "false");
    assert.equal(await hash(), "");
    await page.mouse.move(10, 250); // away from the button, and its ring gone
    await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).blur());
    await comesToShow(page, colour, 45);
  });

  it("comes with a link", async () => {
    await page.goto(`${site.origin}${PREFIX}?ui=on#look=depth`);
    await ready(page);
    assert.equal(await pressed("#depth"), "true");
  });
});

describe("the background", () => {
  beforeEach(openAs(""));

  const choose = async (name) => {
    if (await hidden("#backdrop-menu")) await page.locator("#backdrop").click();
    await page.getByRole("radio", { name }).check();
  };

  it("is chosen in a menu, seen behind the picture, and stands in the address", async () => {
    await choose("Black");
    assert.deepEqual(await backdrop(page), [0, 0, 0]);
    assert.equal(await hash(), "#bg=black");
    const name = await page.locator("#name").evaluate((element) => getComputedStyle(element).color);
    assert.equal(name, "rgb(237, 237, 240)"); // legible on black, also in a light browser
    await choose("Automatic");
    assert.equal(await hash(), "");
  });

  it("may be any colour", async () => {
    await page.locator("#backdrop").click();
    await page.locator("#backdrop-menu input[type=color]").fill("#3366cc");
    assert.deepEqual(await backdrop(page), [0x33, 0x66, 0xcc]);
    assert.equal(await hash(), "#bg=3366cc");
  });

  it("comes with a link; nonsense is left alone", async () => {
    await page.evaluate(() => (location.hash = "#bg=3366cc"));
    await page.waitForFunction(() => document.documentElement.dataset.backdrop === "colour");
    assert.deepEqual(await backdrop(page), [0x33, 0x66, 0xcc]);
    await page.evaluate(() => (location.hash = "#bg=url(x)"));
    await page.waitForFunction(() => document.documentElement.dataset.backdrop === "auto");
  });

  it("goes with Escape, which gives the focus back", async () => {
    await page.locator("#backdrop").focus();
    await page.keyboard.press("Enter");
    assert.equal(await hidden("#backdrop-menu"), false);
    await page.keyboard.press("Escape");
    assert.equal(await hidden("#backdrop-menu"), true);
    assert.equal(await focused(), "backdrop");
  });
});

describe("a saved picture", () => {
  beforeEach(openAs(""));

  const saved = async () => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("s")]);
    return { name: download.suggestedFilename(), picture: readPng(await download.path()) };
  };

  it("has the model's size, and lies on the background", async () => {
    const { name, picture } = await saved();
    assert.equal(name, "ball.png");
    assert.deepEqual([picture.width, picture.height], [width, height]);
    const found = psnr(picture, over(poster, WHITE));
    assert.ok(found > 45, `${found.toFixed(1)} dB`);
    await page.locator("#note", { hasText: "Saved ball.png" }).waitFor();
  });

  it("keeps its transparency on chequers", async () => {
    await page.evaluate(() => (location.hash = "#bg=transparent"));
    await page.waitForFunction(() => document.documentElement.dataset.backdrop === "transparent");
    const { picture } = await saved();
    const found = psnr(picture, poster);
    assert.ok(found > 40, `${found.toFixed(1)} dB`); // a canvas keeps premultiplied bytes
    assert.ok(picture.rgba.some((value, i) => i % 4 === 3 && value < 0.1));
  });
});

describe("sharing", () => {
  const open = async (query, script) => {
    page = await browser.context.newPage();
    await page.addInitScript(script);
    await page.goto(`${site.origin}${PREFIX}${query}`);
    await ready(page);
    await page.locator("#share").click();
  };
  const OPEN = `window.copies = [];
    Object.defineProperty(navigator, "clipboard",
      { value: { writeText: async (text) => void window.copies.push(text) } });`;
  const CLOSED = `Object.defineProperty(navigator, "clipboard",
      { value: { writeText: () => Promise.reject(new Error("no")) } });`;

  it("copies a link that shows the same again", async () => {
    await open("#bg=black&look=depth", OPEN);
    await page.locator("#share-link-copy").click();
    await page.locator("#share-status", { hasText: "Copied" }).waitFor();
    const [link] = await page.evaluate("window.copies");
    assert.equal(link, `${site.origin}${PREFIX}#bg=black&look=depth`);
  });

  it("copies a frame for another page, which works there", async () => {
    await open("", OPEN);
    await page.locator("#share-embed-copy").click();
    await page.waitForFunction("window.copies.length === 1");
    const [code] = await page.evaluate("window.copies");
    assert.match(code, /<iframe src="[^"]*\?embed"/);
    const outside = `<!doctype html><h1>Outside</h1>${code}`;
    site.faults.set(`${PREFIX}outer.html`, (response) =>
      response.writeHead(200, { "Content-Type": "text/html" }).end(outside),
    );
    const outer = await browser.open("outer.html");
    const frame = outer.frameLocator("iframe");
    await frame.locator("#name a", { hasText: "ball" }).waitFor();
    await outer.waitForFunction(
      () => document.querySelector("iframe").contentWindow["pocketfield"]?.stats().frames > 0,
    );
    await outer.close();
  });

  it("selects the text where the clipboard is refused", async () => {
    await open("", CLOSED);
    await page.locator("#share-link-copy").click();
    await page.locator("#share-status", { hasText: "selected" }).waitFor();
    const selected = await page.locator("#share-link").evaluate((field) => {
      const { selectionStart, selectionEnd, value } = /** @type {HTMLInputElement} */ (field);
      return value.slice(selectionStart, selectionEnd);
    });
    assert.equal(selected, `${site.origin}${PREFIX}`);
  });

  it("closes with Escape, and the focus goes back", async () => {
    await open("", OPEN);
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#share-dialog[open]").count(), 0);
    assert.equal(await focused(), "share");
  });
});

describe("the panel about the scene", () => {
  beforeEach(openAs(""));

  it("says what runs, beside the picture and not on it", async () => {
    await page.keyboard.press("i");
    const text = await page.locator("#about").innerText();
    const { student, parameters } = manifest().models[0];
    assert.match(text, new RegExp(`Student\\s+${student}`));
    assert.match(text, new RegExp(`Parameters\\s+${parameters.toLocaleString("en")}`));
    assert.match(text, /Backend\s+WebAssembly[^]*Frame\s+[0-9.]+ ms[^]*Created/);
    await atRest(page);
    const [picture, panel] = await Promise.all(
      ["#picture", "#about"].map((id) => page.locator(id).boundingBox()),
    );
    assert.ok(picture.x + picture.width <= panel.x + 0.5, "the panel covers the picture");
  });

  it("is up to date as long as it is open", async () => {
    await page.keyboard.press("i");
    const frames = () =>
      page.locator("#about-text dt:text-is('Frames') + dd").innerText().then(Number);
    const before = await frames();
    await page.keyboard.press("ArrowRight");
    await atRest(page);
    await page.waitForTimeout(600);
    assert.ok((await frames()) > before);
  });

  it("closes with Escape, and the focus goes back", async () => {
    await page.locator("#about-button").click();
    assert.equal(await page.locator("#about-button").getAttribute("aria-expanded"), "true");
    await page.keyboard.press("Escape");
    assert.equal(await hidden("#about"), true);
    assert.equal(await focused(), "about-button");
  });
});

describe("a comparison", () => {
  const workers = () => page.workers().length;
  const divider = () => page.locator("#divider");
  const value = async () => Number(await divider().getAttribute("aria-valuenow"));
  const label = (text) => page.locator(".side.second", { hasText: text });

  it("shows two precisions in step, and frees the second worker when it ends", async () => {
    page = await browser.openReady("?compare=fp16");
    await label("fp16").waitFor();
    await page.locator(".side.first", { hasText: "fp32" }).waitFor();
    assert.equal(workers(), 2);
    await page.keyboard.press("ArrowRight");
    await atRest(page);
    // Both halves show the same camera: with the divider at either end the picture is the same.
    await divider().focus();
    await page.keyboard.press("End");
    const left = await visible(page);
    await page.keyboard.press("Home");
    await page.waitForTimeout(300);
    const right = await visible(page);
    assert.ok(psnr(left, right) > 28, `${psnr(left, right)} dB`);
    await page.locator("#compare").click();
    await page.getByRole("button", { name: "Stop comparing" }).click();
    await page.waitForFunction(() => document.querySelector("#second canvas") === null);
    await page.waitForTimeout(100);
    assert.equal(workers(), 1);
  });

  it("has a divider that keys and the pointer move, and that steers nothing", async () => {
    page = await browser.openReady("?compare=fp16");
    await divider().waitFor();
    const before = await camera(page);
    await divider().focus();
    await page.keyboard.press("ArrowLeft");
    assert.equal(await value(), 48);
    const box = await page.locator("#picture").boundingBox();
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + 0.48 * box.width, y);
    await page.mouse.down();
    await page.mouse.move(box.x + 0.25 * box.width, y, { steps: 3 });
    await page.mouse.up();
    assert.equal(await value(), 25);
    assert.deepEqual(await camera(page), before);
  });

  it("is opened from the menu, and shared", async () => {
    page = await browser.openReady("");
    await page.locator("#compare").click();
    await page.getByRole("button", { name: "Precision fp16" }).click();
    await label("fp16").waitFor();
    await page.locator("#share").click();
    assert.match(await page.locator("#share-link").inputValue(), /[?&]compare=fp16$/);
  });

  it("with a scene of other proportions is refused, and the first stays", async () => {
    const models = manifest().models.map((model) => ({ ...model, height: model.height / 2 }));
    const wide = JSON.stringify({ ...manifest(), name: "wide", models });
    site.faults.set(`${PREFIX}wide/manifest.json`, (response) => response.end(wide));
    page = await browser.open("?compare=wide/"); // the message comes before the first frame
    await page.locator("#error", { hasText: /wide[^]*proportions/ }).waitFor();
    await page.evaluate(() => window.pocketfield.ready);
    await page.getByRole("button", { name: "Close" }).click();
    assert.equal(await hidden("#divider"), true);
    assert.equal(await page.evaluate(() => document.documentElement.dataset.state), "ready");
  });

  it("whose second model is missing says so, and the first stays", async () => {
    const half = manifest().models.find(({ precision }) => precision === "fp16");
    site.faults.set(`${PREFIX}scene/${half.file}`, (response) => response.writeHead(404).end());
    page = await browser.open("?compare=fp16&nocache");
    await page.locator("#error", { hasText: /fp16[^]*404/ }).waitFor();
    await page.evaluate(() => window.pocketfield.ready);
    assert.equal(workers(), 1);
  });
});

describe("inside another page", () => {
  beforeEach(openAs("?embed"));

  it("there are only name, reset and full screen", async () => {
    for (const id of ["#info", "#depth", "#share", "#help-button", "#more"])
      assert.equal(await hidden(id), true, id);
    for (const id of ["#reset", "#fullscreen", "#name a"])
      assert.equal(await hidden(id), false, id);
    const link = page.locator("#name a");
    assert.equal(await link.getAttribute("href"), `${site.origin}${PREFIX}?rotate=off`);
    assert.equal(await link.getAttribute("target"), "_blank");
  });

  it("the wheel is for the page around until the picture was clicked", async () => {
    const before = await camera(page);
    await page.mouse.move(450, 250);
    await page.mouse.wheel(0, -100);
    await page.locator("#wheel-hint:visible").waitFor();
    await atRest(page);
    assert.deepEqual(await camera(page), before);
    await page.mouse.click(450, 250);
    await page.mouse.wheel(0, -100);
    await atRest(page);
    assert.notDeepEqual(await camera(page), before);
  });

  it("or Ctrl is held", async () => {
    const before = await camera(page);
    await page.mouse.move(450, 250);
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -100);
    await page.keyboard.up("Control");
    await atRest(page);
    assert.notDeepEqual(await camera(page), before);
  });

  it("a refused full screen is said", async () => {
    await page.evaluate(() => {
      document.documentElement.requestFullscreen = () => Promise.reject(new TypeError("no"));
    });
    await page.locator("#fullscreen").click();
    await page.locator("#note", { hasText: "Full screen is not allowed" }).waitFor();
  });
});

describe("the first seconds", () => {
  it("have the poster at once, then bytes and percent", async () => {
    const model = manifest().models.find(({ precision }) => precision === "fp32");
    const content = readFileSync(path.join(BUNDLE, model.file));
    let finish;
    site.faults.set(`${PREFIX}scene/${model.file}`, (response) => {
      response.write(content.subarray(0, content.length / 2));
      finish = () => response.end(content.subarray(content.length / 2));
    });
    page = await browser.open("?nocache");
    await page
      .locator("#poster")
      .evaluate((image) => /** @type {HTMLImageElement} */ (image).decode());
    await page.locator("#progress-text", { hasText: /[0-9.]+ of [0-9.]+ MB · \d+ %/ }).waitFor();
    const percent = await page.locator("#progress").getAttribute("aria-valuenow");
    assert.ok(Number(percent) < 100);
    finish(); // the request has come: its bytes are counted
    await ready(page);
  });

  it("that fail end with a way to try again", async () => {
    const model = manifest().models.find(({ precision }) => precision === "fp32");
    site.faults.set(`${PREFIX}scene/${model.file}`, (response) => response.writeHead(404).end());
    page = await browser.open("?nocache");
    await page.locator('#message[data-kind="error"] [role=alert]', { hasText: "404" }).waitFor();
    assert.equal(await hidden("#poster"), false);
    site.faults.clear();
    await page.getByRole("button", { name: "Try again" }).click();
    await ready(page);
  });
});

describe("on a phone", () => {
  let phone;
  before(async () => {
    phone = await openBrowser(site, "none", {
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
    });
  });
  after(() => phone.close());
  beforeEach(async () => (page = await phone.openReady("")));
  afterEach(() => page.close());

  it("no button lies on the picture, and each is large enough for a finger", async () => {
    const picture = await page.locator("#picture").boundingBox();
    for (const button of await page.locator("#bar button:visible").all()) {
      const box = await button.boundingBox();
      assert.ok(box.y >= picture.y + picture.height, "on the picture");
      assert.ok(box.width >= 44 && box.height >= 44, `${box.width} × ${box.height}`);
    }
  });

  it("the rest is in a menu", async () => {
    assert.equal(await hidden("#depth"), true);
    await page.locator("#more").tap();
    await page.locator("#depth").tap();
    assert.equal(await hidden("#extra"), true);
    assert.match(await hash(), /look=depth/);
  });

  it("the panel is below the picture", async () => {
    await page.locator("#more").tap();
    await page.locator("#about-button").tap();
    await atRest(page);
    const [picture, panel] = await Promise.all(
      ["#picture", "#about"].map((id) => page.locator(id).boundingBox()),
    );
    assert.ok(picture.y + picture.height <= panel.y + 0.5);
    await page.locator("#about-close").tap();
    assert.equal(await focused(), "more");
  });
});
