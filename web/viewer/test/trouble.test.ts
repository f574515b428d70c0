import { describe, expect, it } from "vitest";

import { causeOf, OutOfMemory, partsOf, Trouble, WrongPicture } from "../src/trouble";

describe("causeOf", () => {
  // As Chromium 156, Firefox, Safari, Emscripten and ONNX Runtime 1.30 say it.
  it.each([
    new RangeError("Array buffer allocation failed"),
    new RangeError("WebAssembly.Memory(): could not allocate memory"),
    new RangeError("Out of memory"),
    new Error("Can't create a session. ERROR_CODE: 6, ERROR_MESSAGE: std::bad_alloc"),
    new Error("failed to call OrtRun(). ERROR_CODE: 6, ERROR_MESSAGE: bad allocation"),
    new Error("Failed to allocate memory for requested buffer of size 4294967296"),
    new Error("Aborted(OOM)"),
    new OutOfMemory("createBuffer"),
    "RangeError: Array buffer allocation failed",
  ])("memory: %s", (error) => {
    expect(causeOf(error)).toBe("memory");
  });

  it.each([
    new Error("the graphics device was lost (unknown): driver reset"),
    new RangeError("Invalid array length"),
    new Error("there is no room in the picture"),
    undefined,
  ])("other: %s", (error) => {
    expect(causeOf(error)).toBe("other");
  });

  it("a wrong picture is its own kind", () => {
    expect(causeOf(new WrongPicture("12 dB"))).toBe("wrong");
  });
});

describe("partsOf", () => {
  it("hands a Trouble on as it is", () => {
    const parts = { thing: "a", given: "b", expected: "c", remedy: "d" };
    expect(partsOf(new Trouble("a", "b", "c", "d"), "drawing")).toEqual(parts);
  });

  it("says what helps against too little memory", () => {
    const { thing, given, remedy } = partsOf(new OutOfMemory("1 GB"), "starting the model");
    expect(thing).toBe("starting the model");
    expect(given).toBe("not enough memory (1 GB)");
    expect(remedy).toMatch(/close other tabs/);
  });
});
