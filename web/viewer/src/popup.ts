/**
 * What opens and closes: menus above the buttons, dialogues.
 *
 * One menu is open at a time. Escape, a click elsewhere and the button itself close it; Escape
 * gives the focus back to where it was.
 */
import { element } from "./dom";

const open = new Set<Popup>();

export class Popup {
  /**
   * `button` shows and hides `panel`, which is there when `show(true)` says so; `opening` may fill
   * it before.
   */
  constructor(
    private readonly button: HTMLElement,
    private readonly panel: HTMLElement,
    private readonly show: (visible: boolean) => void = (visible) => (panel.hidden = !visible),
    private readonly opening: () => void = () => {},
  ) {
    button.setAttribute("aria-controls", panel.id);
    button.addEventListener("click", () => this.toggle());
    panel.addEventListener("keydown", (event) => this.#escape(event));
    button.addEventListener("keydown", (event) => this.#escape(event));
  }

  get isOpen(): boolean {
    return open.has(this);
  }

  toggle(): void {
    if (this.isOpen) return this.close();
    closePopups();
    this.opening();
    open.add(this);
    this.#update(true);
    const first = this.panel.querySelector<HTMLElement>("input:checked, button:not([hidden])");
    first?.focus();
  }

  close(): void {
    if (!open.delete(this)) return;
    this.#update(false);
  }

  /** Whether `target` belongs to it: a click there leaves it open. */
  holds(target: Node): boolean {
    return this.panel.contains(target) || this.button.contains(target);
  }

  #update(visible: boolean): void {
    this.show(visible);
    this.button.setAttribute("aria-expanded", String(visible));
  }

  #escape(event: KeyboardEvent): void {
    if (event.key !== "Escape" || !this.isOpen) return;
    event.stopPropagation();
    this.close();
    focusOn(this.button);
  }
}

/** Close every menu that is open. */
export function closePopups(): void {
  for (const popup of [...open]) popup.close();
}

/** Focus `button`; where it is in a menu that is closed now, what opens that menu. */
export function focusOn(button: HTMLElement): void {
  const there = button.checkVisibility?.() ?? button.offsetParent !== null;
  (there ? button : element("more")).focus();
}

/** A pointer that goes down elsewhere closes the menus. */
export function attachPopups(): void {
  document.addEventListener(
    "pointerdown",
    ({ target }) => {
      if (!(target instanceof Node)) return;
      for (const popup of [...open]) if (!popup.holds(target)) popup.close();
    },
    { capture: true }, // also where whoever is clicked keeps the event to itself
  );
}

/** A dialogue that a click beside it closes; the focus goes back by itself. */
export function attachDialog(dialog: HTMLDialogElement): void {
  dialog.addEventListener("click", (event) => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    const { clientX: x, clientY: y } = event;
    const inside = x >= left && x <= right && y >= top && y <= bottom;
    if (event.target === dialog && !inside) dialog.close();
  });
}
