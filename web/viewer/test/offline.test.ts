import { describe, expect, it } from "vitest";

import { sceneFiles } from "../src/offline";
import { isKeepable, isolated, routeOf, shellName, shellPrefix } from "../src/offline_rules";

const SCOPE = "https://host/some/where/";
const SHELL = new Set([SCOPE, `${SCOPE}assets/index-1a2b.js`]);
const asked = (path: string, mode: RequestMode = "cors", method = "GET") => ({
  method,
  mode,
  url: new URL(path, SCOPE).href,
});
const route = (...request: Parameters<typeof asked>) => routeOf(asked(...request), SCOPE, SHELL);

describe("the service worker", () => {
  it.each([
    ["./", "navigate", "page"],
    ["index.html?scene=fox/#view", "navigate", "page"],
    ["assets/index-1a2b.js", "cors", "shell"],
    ["assets/index-1a2b.js?v=1", "cors", "shell"],
    ["scene/manifest.json", "cors", "scene"],
    ["scenes/index.json", "cors", "scene"],
    ["scene/poster.png", "no-cors", "scene"],
  ] as const)("answers %s (%s) as %s", (path, mode, expected) => {
    expect(route(path, mode)).toBe(expected);
  });

  it.each([
    ["a model, which is kept by its content", "scene/student.fp32.onnx?v=1", "cors"],
    ["ONNX Runtime, which is kept by its content", "assets/ort-1a2b.wasm.gz", "cors"],
    ["another build's file", "assets/index-9z8y.js", "cors"],
    ["another host", "https://elsewhere/scene/manifest.json", "cors"],
    ["another page of this host", "https://host/some/manifest.json", "cors"],
    ["another page below this one", "blog/", "navigate"],
    ["a picture opened by itself", "scene/poster.png", "navigate"],
  ] as const)("leaves %s alone", (_, path, mode) => {
    expect(route(path, mode)).toBeNull();
  });

  it("leaves everything but GET alone", () => {
    expect(route("scene/manifest.json", "cors", "POST")).toBeNull();
  });

  it("keeps the builds of two pages on a host apart, also where one lies in the other", () => {
    const [outer, inner] = ["https://host/a/", "https://host/a/b/"];
    expect(shellName(inner, "1").startsWith(shellPrefix(outer))).toBe(false);
    expect(shellName(outer, "1").startsWith(shellPrefix(outer))).toBe(true);
  });
});

describe("an answer", () => {
  const answer = (change: object) =>
    ({ ok: true, status: 200, type: "basic", redirected: false, ...change }) as Response;

  it("is kept only when it is whole, this host's own, and what was asked for", () => {
    expect(isKeepable(answer({}))).toBe(true);
    expect(isKeepable(answer({ ok: false, status: 404 }))).toBe(false);
    expect(isKeepable(answer({ ok: false, status: 500 }))).toBe(false);
    expect(isKeepable(answer({ status: 206 }))).toBe(false);
    expect(isKeepable(answer({ type: "cors" }))).toBe(false);
    expect(isKeepable(answer({ redirected: true }))).toBe(false);
  });

  it("that isolates its page has the same content and headers, and three more", async () => {
    const headers = { "Content-Type": "text/html", "X-Mine": "1" };
    const made = isolated(new Response("page", { status: 200, headers }));
    expect(await made.text()).toBe("page");
    expect(made.headers.get("X-Mine")).toBe("1");
    expect(made.headers.get("Cross-Origin-Opener-Policy")).toBe("same-origin");
    expect(made.headers.get("Cross-Origin-Embedder-Policy")).toBe("require-corp");
  });
});

it("the first visit keeps manifests, pictures and camera paths of its own folder, each once", () => {
  const loaded = [
    `${SCOPE}assets/index-1a2b.js`,
    `${SCOPE}scene/manifest.json`,
    `${SCOPE}scene/poster.png?x`,
    `${SCOPE}scene/poster.png`,
    `${SCOPE}paths/round.json`,
    `${SCOPE}notes.json`,
    "https://host/other/manifest.json",
    "blob:https://host/1",
  ];
  expect(sceneFiles(loaded, SCOPE)).toEqual([
    `${SCOPE}scene/manifest.json`,
    `${SCOPE}scene/poster.png`,
    `${SCOPE}paths/round.json`,
  ]);
});
