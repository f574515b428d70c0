import { afterEach, describe, expect, it, vi } from "vitest";

import { SCHEMA } from "../src/manifest";
import { digestsOf, fileUrl, loadScene, parseManifest, within } from "../src/scene";
import { Trouble } from "../src/trouble";
import { MANIFEST, REDUCED, SPLIT } from "./manifests";

const PAGE = new URL("https://host/some/where/?backend=wasm");

describe("parseManifest", () => {
  it("takes what export writes", () => {
    expect(parseManifest(JSON.stringify(MANIFEST))).toEqual(MANIFEST);
  });

  it.each([
    [SCHEMA - 1, /export the scene again/],
    [SCHEMA + 1, /build the page again/],
    [undefined, /export the scene again/],
    ["1", /export the scene again/],
  ])("says which side is too old for schema %j", (schema, remedy) => {
    const parse = (): unknown => parseManifest(JSON.stringify({ ...MANIFEST, schema }));
    expect(parse).toThrow(Trouble);
    expect(parse).toThrow(`schema ${SCHEMA}, the one that this page reads`);
    try {
      parse();
    } catch (error) {
      expect((error as Trouble).remedy).toMatch(remedy);
    }
  });

  it.each([
    ["an HTML page in its place", "<!doctype html><title>404</title>"],
    ["half a file", JSON.stringify(MANIFEST).slice(0, 200)],
    ["an array", "[]"],
    ["null", "null"],
  ])("refuses %s", (_, text) => {
    expect(() => parseManifest(text)).toThrow(Trouble);
  });

  it.each([
    ["models", []],
    ["models", [{ ...MANIFEST.models[0], bytes: -1 }]],
    ["models", [{ ...MANIFEST.models[0], width: 1.5 }]],
    ["models", [{ ...MANIFEST.models[0], split: undefined }]],
    ["models", [{ ...MANIFEST.models[0], reduced: undefined }]],
    ["models", [{ ...MANIFEST.models[0], reduced: { ...REDUCED, width: 0 } }]],
    ["models", [{ ...MANIFEST.models[0], reduced: { ...REDUCED, file: "student.onnx" } }]],
    ["models", [{ ...MANIFEST.models[0], reduced: { ...REDUCED, split: undefined } }]],
    ["models", [{ ...MANIFEST.models[0], sampled: "student.fp32.onnx" }]],
    ["models", [{ ...MANIFEST.models[0], split: { ...SPLIT, tables: null } }]],
    ["models", [{ ...MANIFEST.models[0], split: { ...SPLIT, ends: [1, 8, 16] } }]],
    [
      "models",
      [{ ...MANIFEST.models[0], split: { ...SPLIT, shade: { ...SPLIT.shade, parts: [0] } } }],
    ],
    ["start", { ...MANIFEST.start, T_norm_camera: [1, 2, 3] }],
    ["start", { ...MANIFEST.start, intrinsics: [1, 1, null, 0.5] }],
    ["envelope", { ...MANIFEST.envelope, radius: [3, 2] }],
    ["envelope", { ...MANIFEST.envelope, pivot: [0, 0] }],
    ["references", [{}]],
    ["references", [null]],
    ["background", "white"],
    ["poster", undefined],
  ])("refuses unusable %s", (name, value) => {
    expect(() => parseManifest(JSON.stringify({ ...MANIFEST, [name]: value }))).toThrow(Trouble);
  });
});

describe("addresses", () => {
  it("are relative to the page, under any prefix", () => {
    expect(within("scene/", PAGE, "").href).toBe("https://host/some/where/scene/");
    expect(within("../other/", PAGE, "").href).toBe("https://host/some/other/");
  });

  it.each([
    "https://elsewhere/scene/",
    "//elsewhere/",
    "data:,x",
    "http://host/scene/",
    "https://[",
  ])("never lead to another host: %s", (path) => {
    expect(() => within(path, PAGE, "?scene=")).toThrow(Trouble);
  });

  it("of a model change with its content", () => {
    const base = new URL("scene/", PAGE).href;
    const url = fileUrl(MANIFEST.models[0]!, { base, dropped: null });
    expect(url.href).toBe("https://host/some/where/scene/student.fp32.onnx?v=abababababab");
  });

  it("of a dropped scene is where its content lies", () => {
    const file = MANIFEST.models[0]!;
    const dropped = { [file.file]: "blob:https://host/1" };
    expect(fileUrl(file, { base: PAGE.href, dropped }).href).toBe("blob:https://host/1");
    expect(() => fileUrl(file, { base: PAGE.href, dropped: {} })).toThrow(/no file/);
  });
});

it("digestsOf names every file of every model", () => {
  const found = digestsOf(MANIFEST.models);
  expect(found).toContain("ab".repeat(32));
  expect(found).toContain(SPLIT.tables.sha256);
  expect(found).toContain(SPLIT.encode.shader.sha256);
  expect(found).toHaveLength(6); // both shaders of these are the same
});

describe("loadScene", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("looks for manifest.json in the folder, with or without the slash", async () => {
    const fetched: string[] = [];
    vi.stubGlobal("fetch", async (url: URL) => {
      fetched.push(url.href);
      return new Response(JSON.stringify(MANIFEST));
    });
    for (const path of ["fox", "fox/"]) {
      const scene = await loadScene(path, PAGE);
      expect(scene.base).toBe("https://host/some/where/fox/");
    }
    expect(fetched).toEqual(Array(2).fill("https://host/some/where/fox/manifest.json"));
  });
});
