/** What all parts need of the document. */

/** The element with this id, which index.html has. */
export function element<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return found as Kind;
}

/** A new element with text, or other nodes, in it. */
export function made<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  content: string | readonly Node[] = "",
  properties: Partial<HTMLElementTagNameMap[Tag]> = {},
): HTMLElementTagNameMap[Tag] {
  const found = document.createElement(tag);
  if (typeof content === "string") found.textContent = content;
  else found.append(...content);
  return Object.assign(found, properties);
}

/** Whether keys pressed at `target` are its own: a field's, or a dialogue's. */
export const hasOwnKeys = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest("dialog, input, textarea, select") !== null;
