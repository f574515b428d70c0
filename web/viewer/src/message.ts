/** The one place where the page says that something is wrong. */
import type { TroubleParts } from "./trouble";

const NOTE_SECONDS = 8;

export class Messages {
  #timer = 0;

  /** `element` is a live region: screen readers read out what appears in it. */
  constructor(private readonly element: HTMLElement) {}

  /** Something worth knowing, for a few seconds. An error stays where it is. */
  note(text: string): void {
    if (this.element.dataset["kind"] === "error") return;
    this.#show("note", [paragraph(text)]);
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#show("none", []), NOTE_SECONDS * 1000);
  }

  /** What went wrong, for good. */
  error({ thing, given, expected, remedy }: TroubleParts): void {
    window.clearTimeout(this.#timer);
    const title = document.createElement("h2");
    title.textContent = `Cannot show this scene: ${thing}`;
    const parts = document.createElement("dl");
    for (const [term, text] of [
      ["Given", given],
      ["Expected", expected],
      ["What to do", remedy],
    ] as const) {
      const name = document.createElement("dt");
      const value = document.createElement("dd");
      [name.textContent, value.textContent] = [term, text];
      parts.append(name, value);
    }
    this.#show("error", [title, parts]);
    console.error(`${thing}: ${given}`);
  }

  #show(kind: "none" | "note" | "error", content: readonly Node[]): void {
    this.element.dataset["kind"] = kind;
    this.element.replaceChildren(...content);
  }
}

function paragraph(text: string): HTMLParagraphElement {
  const element = document.createElement("p");
  element.textContent = text;
  return element;
}
