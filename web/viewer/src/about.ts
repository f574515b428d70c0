/** The panel about the scene: beside the picture, up to date as long as it is open. */
import { closePopups, focusOn } from "./popup";
import { element } from "./dom";
import { asNodes, asText, type Section } from "./info";
import { copied } from "./share";

const PERIOD = 500; // milliseconds

/** What there is to say; null while there is no scene. */
export type Facts = () => { readonly name: string; readonly found: readonly Section[] } | null;

export class About {
  readonly #panel = element("about");
  readonly #button = element("about-button");
  readonly #text = element("about-text");
  readonly #copy = element("about-copy");
  #timer = 0;

  constructor(private readonly facts: Facts) {
    this.#button.setAttribute("aria-controls", this.#panel.id);
    this.#button.addEventListener("click", () => this.toggle());
    element("about-close").addEventListener("click", () => this.#return());
    this.#copy.addEventListener("click", () => void this.#copyText());
    document.addEventListener("keydown", (event) => {
      const open = document.querySelector("dialog[open]") !== null;
      if (event.key === "Escape" && !this.#panel.hidden && !open) this.#return();
    });
  }

  toggle(): void {
    if (!this.#panel.hidden) return this.#return();
    closePopups();
    this.#fill();
    this.#show(true);
    this.#panel.scrollTop = 0;
    this.#panel.focus({ preventScroll: true });
    this.#timer = window.setInterval(() => this.#fill(), PERIOD);
  }

  close(): void {
    window.clearInterval(this.#timer);
    this.#show(false);
  }

  #return(): void {
    this.close();
    focusOn(this.#button);
  }

  #show(visible: boolean): void {
    this.#panel.hidden = !visible;
    this.#button.setAttribute("aria-expanded", String(visible));
    document.documentElement.toggleAttribute("data-panel", visible);
  }

  /** Only what has changed, so that a selection in the text stays. */
  #fill(): void {
    const nodes = asNodes(this.facts()?.found ?? []);
    nodes.forEach((node, k) => {
      const old = this.#text.childNodes[k];
      if (old === undefined) this.#text.append(node);
      else if (!old.isEqualNode(node)) old.replaceWith(node);
    });
    while (this.#text.childNodes.length > nodes.length) this.#text.lastChild?.remove();
  }

  async #copyText(): Promise<void> {
    const facts = this.facts();
    if (facts === null) return;
    const done = await copied(asText(facts.name, facts.found));
    if (!done) getSelection()?.selectAllChildren(this.#text);
    this.#copy.textContent = done ? "Copied" : "Selected";
    window.setTimeout(() => (this.#copy.textContent = "Copy"), 2000);
  }
}
