import { describe, expect, it } from "vitest";

import {
  colourOf,
  formatBackdrop,
  hexOf,
  inkOn,
  luminance,
  parseBackdrop,
  type Rgb,
} from "../src/backdrop";

const OWN: Rgb = [0.2, 0.4, 0.6];

/** Contrast of two colours (WCAG 2.2). */
function contrast(a: Rgb, b: Rgb): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light! + 0.05) / (dark! + 0.05);
}

describe("a background in the address", () => {
  it.each(["auto", "scene", "white", "black", "transparent"] as const)("may be %s", (name) => {
    expect(parseBackdrop(name)).toBe(name);
  });

  it("may be six digits, with or without a hash sign", () => {
    expect(parseBackdrop("Ff8000")).toBe("#ff8000");
    expect(parseBackdrop("#ff8000")).toBe("#ff8000");
  });

  it.each(["", "red", "fff", "#ff80001", "url(x)"])("may not be %j", (text) => {
    expect(parseBackdrop(text)).toBeNull();
  });

  it("comes back as it went in, and says nothing for nothing", () => {
    for (const backdrop of ["scene", "white", "transparent", "#0180fe"] as const)
      expect(parseBackdrop(formatBackdrop(backdrop)!)).toBe(backdrop);
    expect(formatBackdrop("auto")).toBeNull();
  });
});

describe("its colour", () => {
  it("is one, where it is one", () => {
    expect(colourOf("auto", OWN)).toBeNull();
    expect(colourOf("transparent", OWN)).toBeNull();
    expect(colourOf("scene", OWN)).toEqual(OWN);
    expect(colourOf("#ff8000", OWN)).toEqual([1, 128 / 255, 0]);
    expect(hexOf(colourOf("#0180fe", OWN)!)).toBe("#0180fe");
  });

  it("leaves text on it legible, whatever it is", () => {
    const inks = { light: [0x5b, 0x5c, 0x63], dark: [0xa3, 0xa4, 0xab] } as const; // --quiet
    for (let r = 0; r <= 255; r += 15)
      for (let g = 0; g <= 255; g += 15)
        for (let b = 0; b <= 255; b += 15) {
          const colour: Rgb = [r / 255, g / 255, b / 255];
          const { scheme, plain } = inkOn(colour);
          const extreme: Rgb = scheme === "light" ? [0, 0, 0] : [1, 1, 1];
          const quiet = inks[scheme].map((byte) => byte / 255) as unknown as Rgb;
          expect(contrast(colour, plain ? extreme : quiet)).toBeGreaterThan(4.5);
        }
  });
});
