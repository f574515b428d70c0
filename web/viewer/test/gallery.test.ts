/** Scenes beside one another, and scenes from the visitor's own files. */
import { describe, expect, it } from "vitest";

import { neededFiles, rootOf, sceneFrom } from "../src/drop";
import { entryText, linkBack, linkOf, parseGallery } from "../src/gallery";
import { Trouble } from "../src/trouble";
import { MANIFEST } from "./manifests";

const LEGO = {
  name: "Lego",
  path: "scenes/lego/",
  poster: "scenes/lego/poster.png",
  megabytes: 7.94,
  psnr: 31.22,
};

describe("a gallery", () => {
  it("lists scenes", () => {
    expect(parseGallery(JSON.stringify({ schema: 1, scenes: [LEGO] }))).toEqual([LEGO]);
  });

  it.each([
    JSON.stringify({ schema: 2, scenes: [LEGO] }),
    JSON.stringify({ schema: 1, scenes: [] }),
    JSON.stringify({ schema: 1, scenes: [{ ...LEGO, path: 1 }] }),
    JSON.stringify({ schema: 1, scenes: [{ ...LEGO, psnr: "good" }] }),
  ])("is not %s", (text) => expect(() => parseGallery(text)).toThrow(Trouble));

  it("is not there where a host answers with a page of its own", () => {
    expect(parseGallery("<!doctype html>")).toBeNull();
  });

  it("says how large a scene is, and how good where that is known", () => {
    expect(entryText(LEGO)).toBe("7.9 MB · 31.2 dB");
    expect(entryText({ ...LEGO, psnr: null })).toBe("7.9 MB");
  });

  it("leads to a scene and back, and keeps what else was asked for", () => {
    const page = new URL("https://a.example/v/?backend=wasm#view=1");
    expect(linkOf(LEGO, page)).toBe("?backend=wasm&scene=scenes/lego/");
    expect(linkBack(new URL(linkOf(LEGO, page), page))).toBe("?backend=wasm");
    expect(linkBack(new URL("https://a.example/v/?scene=scenes/lego/"))).toBe("/v/");
  });
});

describe("dropped files", () => {
  const files = (...paths: string[]): Map<string, Blob> =>
    new Map(paths.map((path) => [path, new Blob([JSON.stringify(MANIFEST)])]));

  it("may be a folder in a folder: the manifest highest up counts", () => {
    expect(rootOf(["manifest.json", "a/manifest.json"])).toBe("");
    expect(rootOf(["a/b/c/manifest.json", "a/b/manifest.json", "readme"])).toBe("a/b/");
    expect(() => rootOf(["a.txt", "my-manifest.json"])).toThrow(/a\.txt.*no manifest\.json/);
    expect(() => rootOf([])).toThrow(/nothing/);
  });

  it("become addresses, by their paths in the bundle", async () => {
    const paths = neededFiles(MANIFEST).map((path) => `x/${path}`);
    const scene = await sceneFrom(files("x/manifest.json", ...paths));
    expect(scene.manifest.name).toBe(MANIFEST.name);
    expect(Object.keys(scene.dropped!).sort()).toEqual(
      ["manifest.json", ...neededFiles(MANIFEST)].sort(),
    );
  });

  it("are refused where some are missing, by name", async () => {
    const paths = neededFiles(MANIFEST).filter((path) => !/tables|poster/.test(path));
    const scene = sceneFrom(files("manifest.json", ...paths));
    await expect(scene).rejects.toThrow(/without poster\.png, student\.tables\.bin/);
  });

  it("are refused where an archive is none", async () => {
    await expect(sceneFrom(files("scene.zip"))).rejects.toThrow(/scene\.zip.*cannot be unpacked/);
  });
});
