/**
 * The buttons in the corner, their keys and their menus.
 *
 *     click, key -> what the session does -> how the buttons look, what the address says
 */
import { About } from "./about";
import { type Backdrop, colourOf, formatBackdrop, hexOf, parseBackdrop } from "./backdrop";
import { choices, type Neighbour } from "./compare";
import { element, hasOwnKeys, made } from "./dom";
import type { Messages } from "./message";
import { attachDialog, attachPopups, closePopups, Popup } from "./popup";
import type { Session } from "./session";
import { attachShare, type Shared } from "./share";
import { partsOf } from "./trouble";
import { readState, writeState } from "./view_state";

/** What the address says about depth and background. */
const [LOOK, BACKDROP] = ["look", "bg"];

export class Tools {
  /** Other scenes to compare with. */
  neighbours: readonly Neighbour[] = [];
  readonly #about: About;
  readonly #depth = element("depth");

  constructor(
    private readonly session: () => Session | null,
    private readonly messages: Messages,
  ) {
    attachPopups();
    this.#about = new About(() => this.session()?.facts ?? null);
    attachShare(() => this.#shared());
    const extra = element("extra");
    new Popup(element("more"), extra, (open) => extra.toggleAttribute("data-open", open));
    new Popup(element("backdrop"), element("backdrop-menu"), undefined, () => this.#backdrops());
    new Popup(element("compare"), element("compare-menu"), undefined, () => this.#others());
    attachFullScreen(messages);
    const help = element<HTMLDialogElement>("help");
    attachDialog(help);
    element("help-button").addEventListener("click", () => help.showModal());
    element("reset").addEventListener("click", () => this.session()?.reset());
    this.#depth.addEventListener("click", () => this.#toggleDepth());
    element("screenshot").addEventListener("click", () => this.#save());
    this.#attachKeys({
      "?": () => help.showModal(),
      d: () => this.#toggleDepth(),
      s: () => this.#save(),
      i: () => this.#about.toggle(),
    });
    window.addEventListener("hashchange", () => this.follow());
  }

  /** Take over what the address says. */
  follow(): void {
    const session = this.session();
    if (session === null) return;
    const state = readState();
    session.setLook(state.get(LOOK) === "depth" ? "depth" : "colour");
    session.setBackdrop(parseBackdrop(state.get(BACKDROP) ?? "auto") ?? "auto");
    this.update();
  }

  /** Show what the session does. */
  update(): void {
    const session = this.session();
    if (session === null) return;
    this.#depth.setAttribute("aria-pressed", String(session.look === "depth"));
    const compare = element("compare");
    compare.hidden = this.#choices(session).length === 0 && session.compared === null;
    compare.toggleAttribute("data-on", session.compared !== null);
  }

  /** Close what belongs to the scene that is going. */
  close(): void {
    closePopups();
    this.#about.close();
  }

  #attachKeys(keys: Readonly<Record<string, () => void>>): void {
    document.addEventListener("keydown", (event) => {
      const { key, ctrlKey, metaKey, altKey, repeat, target } = event;
      const act = ctrlKey || metaKey || altKey || repeat ? undefined : keys[key.toLowerCase()];
      if (act === undefined || hasOwnKeys(target) || this.session()?.running == null) return;
      event.preventDefault();
      act();
    });
  }

  #toggleDepth(): void {
    const session = this.session();
    if (session === null) return;
    session.setLook(session.look === "depth" ? "colour" : "depth");
    writeState(LOOK, session.look === "depth" ? "depth" : null);
    closePopups();
    this.update();
  }

  #save(): void {
    closePopups();
    const saved = this.session()?.save();
    saved?.catch((error) => this.messages.error(partsOf(error, "saving the picture"), "action"));
  }

  #shared(): Shared | null {
    closePopups();
    const session = this.session();
    if (session === null) return null;
    const address = new URL(location.href);
    if (session.compared !== null) address.searchParams.set("compare", session.compared);
    const { dropped, manifest } = session.scene;
    const size = manifest.models[0]!;
    return { address: dropped === null ? address : null, title: manifest.name, size };
  }

  /** One radio button for each background, and one for a colour of the visitor's own. */
  #backdrops(): void {
    const session = this.session();
    if (session === null) return;
    const { background } = session.manifest;
    const own: Backdrop[] = ["#ffffff", "#000000"].includes(hexOf(background)) ? [] : ["scene"];
    const named: readonly Backdrop[] = ["auto", ...own, "white", "black", "transparent"];
    const set = (backdrop: Backdrop): void => {
      session.setBackdrop(backdrop);
      writeState(BACKDROP, formatBackdrop(backdrop));
    };
    const rows = named.map((backdrop) => {
      const colour = colourOf(backdrop, background);
      const swatch = made("span", "", { className: "swatch" });
      swatch.classList.toggle("chequered", backdrop === "transparent");
      if (colour !== null) swatch.style.setProperty("--colour", hexOf(colour));
      else if (backdrop === "auto") swatch.style.setProperty("--colour", "var(--backdrop)");
      const radio = radioFor(backdrop === session.backdrop, () => set(backdrop));
      return made("label", [radio, swatch, made("span", BACKDROPS[backdrop] ?? "")]);
    });
    const legend = made("legend", "Background");
    element("backdrop-menu").replaceChildren(legend, ...rows, this.#ownColour(session, set));
  }

  #ownColour(session: Session, set: (backdrop: Backdrop) => void): HTMLElement {
    const { backdrop, manifest } = session;
    const value = hexOf(colourOf(backdrop, manifest.background) ?? [0.5, 0.5, 0.5]);
    const field = made("input", "", { type: "color", value, ariaLabel: "Colour" });
    const radio = radioFor(backdrop.startsWith("#"), () => set(field.value as Backdrop));
    field.addEventListener("input", () => {
      radio.checked = true;
      set(field.value as Backdrop);
    });
    return made("div", [made("label", [radio, made("span", "Colour")]), field], {
      className: "row",
    });
  }

  #choices(session: Session): ReturnType<typeof choices> {
    if (session.running === null) return [];
    return choices(session.manifest, session.running, this.neighbours);
  }

  #others(): void {
    const session = this.session();
    if (session === null) return;
    const act = (value: string | null): void => {
      closePopups();
      void session.compare(value);
    };
    const button = (title: string, value: string | null): HTMLButtonElement =>
      made("button", title, { type: "button", onclick: () => act(value) });
    const menu = element("compare-menu");
    menu.replaceChildren(made("p", "Compare with", { className: "heading" }));
    for (const { title, value } of this.#choices(session))
      if (value !== session.compared) menu.append(button(title, value));
    if (session.compared !== null) menu.append(button("Stop comparing", null));
  }
}

const BACKDROPS: Readonly<Record<string, string>> = {
  auto: "Automatic",
  scene: "Scene’s own",
  white: "White",
  black: "Black",
  transparent: "Transparent",
};

function radioFor(checked: boolean, chosen: () => void): HTMLInputElement {
  const radio = made("input", "", { type: "radio", name: "backdrop", checked });
  radio.addEventListener("change", chosen);
  return radio;
}

function attachFullScreen(messages: Messages): void {
  const button = element("fullscreen");
  button.hidden = !document.fullscreenEnabled;
  button.addEventListener("click", () => {
    const change =
      document.fullscreenElement === null
        ? document.documentElement.requestFullscreen()
        : document.exitFullscreen();
    change.catch(() => {
      button.hidden = true; // a page that embeds this one can forbid it
      messages.note("Full screen is not allowed here: open the page on its own.");
    });
  });
}
