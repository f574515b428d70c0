/** The one place where the page says that something is wrong, or worth knowing. */
import { element, made } from "./dom";
import type { TroubleParts } from "./trouble";

const NOTE_SECONDS = 8;

/** `scene`: nothing can be shown. `action`: what was just asked for cannot be done. */
export type Severity = "scene" | "action";

const TITLES: Record<Severity, string> = {
  scene: "Cannot show this scene",
  action: "That did not work",
};

export class Messages {
  readonly #box = element("message");
  readonly #note = element("note"); // read out by screen readers when they have time
  readonly #error = element("error"); // read out at once
  #timer = 0;

  /** Something worth knowing, for a few seconds. An error stays where it is. */
  note(text: string): void {
    if (this.#box.dataset["kind"] === "error") return;
    this.#box.dataset["kind"] = "note";
    this.#note.replaceChildren(made("p", text));
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.clear(), NOTE_SECONDS * 1000);
  }

  /** What went wrong, until somebody answers. `more` are further buttons. */
  error(trouble: TroubleParts, severity: Severity, more: readonly HTMLButtonElement[] = []): void {
    window.clearTimeout(this.#timer);
    const { thing, given, expected, remedy } = trouble;
    const parts = [
      ["Given", given],
      ["Expected", expected],
      ["What to do", remedy],
    ].flatMap(([term, text]) => [made("dt", term), made("dd", text)]);
    const answer = severity === "scene" ? this.#retry() : this.#dismissal();
    const buttons = made("div", [answer, ...more], { className: "buttons" });
    this.#note.replaceChildren();
    this.#box.dataset["kind"] = "error";
    const title = made("h2", `${TITLES[severity]}: ${thing}`);
    this.#error.replaceChildren(title, made("dl", parts), buttons);
    console.error(`${thing}: ${given}`);
  }

  /** Nothing to say any more. */
  clear(): void {
    window.clearTimeout(this.#timer);
    this.#box.dataset["kind"] = "none";
    this.#note.replaceChildren();
    this.#error.replaceChildren();
  }

  #retry(): HTMLButtonElement {
    return made("button", "Try again", { type: "button", onclick: () => location.reload() });
  }

  #dismissal(): HTMLButtonElement {
    return made("button", "Close", { type: "button", onclick: () => this.clear() });
  }
}
