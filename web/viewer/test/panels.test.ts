/** What the panels show and the menus offer: all without a page. */
import { describe, expect, it } from "vitest";

import {
  choices,
  dividerAfter,
  labelOf,
  optionsFor,
  parseOther,
  sameProportions,
} from "../src/compare";
import { asText, modelBytes, sections } from "../src/info";
import type { Manifest, ModelFile } from "../src/manifest";
import { parseOptions } from "../src/options";
import type { Running } from "../src/protocol";
import { fileName, laidOn, straightened } from "../src/screenshot";
import { embedCode, linkTo } from "../src/share";
import { Stats } from "../src/stats";
import { MANIFEST } from "./manifests";

const FP32 = MANIFEST.models[0]!;
const FP16: ModelFile = { ...FP32, precision: "fp16", file: "student.fp16.onnx", sampled: null };
const BOTH: Manifest = { ...MANIFEST, models: [FP16, FP32] };
const onCard: Running = {
  backend: "webgpu",
  model: FP16,
  form: "split",
  adapter: "a card",
  check: 57.25,
};
const onCpu: Running = { backend: "wasm", model: FP32, form: "graph", adapter: null, check: null };

describe("a picture to save", () => {
  // An opaque red, a half-transparent green, nothing.
  const rgba = Uint8Array.of(255, 0, 0, 255, 0, 64, 0, 128, 0, 0, 0, 0);
  const picture = { width: 3, height: 1, rgba };

  it("has straight alpha", () => {
    expect([...straightened(picture)]).toEqual([255, 0, 0, 255, 0, 128, 0, 128, 0, 0, 0, 0]);
  });

  it("or lies on a colour", () => {
    const blue = [...laidOn(picture, [0, 0, 1])];
    expect(blue).toEqual([255, 0, 0, 255, 0, 64, 127, 255, 0, 0, 255, 255]);
  });

  it.each([
    ["Still life", "still-life.png"],
    ["Äpfel & Birnen/1", "apfel-birnen-1.png"],
    ["../..", "scene.png"],
    ["花", "花.png"],
  ])("of %j is called %s", (name, file) => expect(fileName(name)).toBe(file));
});

describe("a link", () => {
  const address = new URL("https://a.example/v/?scene=scenes/lego/&embed#view=1,2&bg=white");

  it("keeps scene and view, and leaves the frame around it", () => {
    expect(linkTo(address)).toBe("https://a.example/v/?scene=scenes/lego/#view=1,2&bg=white");
  });

  it("for another page is escaped, and has the picture's proportions", () => {
    const code = embedCode(address, `"Lego" <b>`, { width: 800, height: 600 });
    expect(code).toContain(
      'src="https://a.example/v/?scene=scenes/lego/&amp;embed#view=1,2&amp;bg=white"',
    );
    expect(code).toContain('title="&quot;Lego&quot; &lt;b&gt;" width="640" height="480"');
  });
});

describe("the panel about the scene", () => {
  const quality = { ...MANIFEST.quality, views: 25, teacher_psnr: 32.34, student_psnr_truth: 26.8 };

  it("says what was measured, on what", () => {
    const stats = new Stats();
    stats.started(onCard);
    stats.drawn(0, { run: 5, submit: 0.25, present: 1, wait: 2, total: 8.26 });
    const found = sections({ ...BOTH, quality }, onCard, stats.report());
    const text = asText("lego", found);
    expect(text).toContain(
      "mean PSNR of 25 test views, 64 × 32, white background\n  Teacher: 32.3 dB",
    );
    expect(text).toContain("Student: 26.8 dB");
    expect(text).toContain("Frame: 8.3 ms");
    expect(text).toContain("Runtime: 5.0 ms");
    expect(text).toContain("Checked: 57.3 dB to torch");
    expect(text).toContain("Adapter: a card");
    expect(text).toContain("Created: 2026-01-01 00:00:00 UTC");
  });

  it("leaves out what nobody measured, and what has not started", () => {
    const text = asText("x", sections(MANIFEST, null, new Stats().report()));
    expect(text).not.toMatch(/Teacher|Backend|null|undefined|NaN/);
  });

  it("counts what this device downloads", () => {
    expect(modelBytes(onCard)).toBe(100 + 500 + 100 + 272); // shaders, network, tables
    expect(modelBytes(onCpu)).toBe(1200); // with GridSample
    expect(modelBytes({ ...onCpu, model: FP16 })).toBe(1234);
  });
});

describe("a comparison", () => {
  const options = parseOptions(new URLSearchParams("backend=webgpu&form=split"));

  it.each([
    ["fp16", { precision: "fp16" }],
    ["wasm", { backend: "wasm", form: null }],
    ["scenes/fp16/", { scene: "scenes/fp16/", backend: "webgpu" }],
  ])("with %s asks the second viewer for it", (text, expected) => {
    expect(optionsFor(parseOther(text), options)).toMatchObject(expected);
  });

  it("offers what differs from what runs", () => {
    const values = (...args: Parameters<typeof choices>): string[] =>
      choices(...args).map(({ value }) => value);
    expect(values(BOTH, onCard, [])).toEqual(["fp32", "half", "wasm"]);
    expect(values(BOTH, onCpu, [])).toEqual(["fp16", "half"]); // no card to compare with
    const fox = { name: "Fox", path: "scenes/fox/" };
    expect(values(MANIFEST, onCpu, [fox])).toEqual(["half", "scenes/fox/"]);
  });

  it("labels what is seen", () => {
    const { title, detail } = labelOf(MANIFEST, onCpu, true);
    expect(title).toBe("still life · tiny · fp32 · WebAssembly");
    expect(labelOf(MANIFEST, onCpu, false).title).toBe("tiny · fp32 · WebAssembly");
    expect(detail).toBe("0.0 MB");
  });

  it("needs the same proportions, at any size", () => {
    expect(sameProportions({ width: 200, height: 100 }, { width: 800, height: 401 })).toBe(true);
    expect(sameProportions({ width: 200, height: 100 }, { width: 100, height: 100 })).toBe(false);
  });

  it("has a divider that keys move, as far as it goes", () => {
    expect(dividerAfter("ArrowLeft", 50)).toBe(48);
    expect(dividerAfter("PageUp", 95)).toBe(100);
    expect(dividerAfter("Home", 70)).toBe(0);
    expect(dividerAfter("r", 50)).toBeNull();
  });
});
