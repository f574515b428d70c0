/**
 * The page inside another one (`?embed`): the picture, its name, two buttons.
 *
 * The wheel scrolls the page around until somebody clicks the picture or holds Ctrl; a finger that
 * moves up or down does so too (panels.css).
 */
import { element, made } from "./dom";
import { linkTo } from "./share";

const HINT = 1500; // milliseconds

/** `name` of the scene becomes a link to the whole page, which opens beside. */
export function attachEmbed(name: string): void {
  const link = made("a", name, { target: "_blank", rel: "noopener" });
  const update = (): void => void (link.href = linkTo(new URL(location.href)));
  update();
  for (const kind of ["pointerenter", "pointerdown", "focus"]) link.addEventListener(kind, update); // the view in the address may be another by now
  element("name").replaceChildren(link);
}

/** Keep the wheel from the scene until it is meant for it. */
export function guardWheel(): void {
  const hint = element("wheel-hint");
  const stage = element("stage");
  let [meant, timer] = [false, 0];
  stage.addEventListener("pointerdown", () => (meant = true), { capture: true });
  window.addEventListener("blur", () => (meant = false));
  stage.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") meant = false;
  });
  document.addEventListener(
    "wheel",
    (event) => {
      if (meant || event.ctrlKey) return;
      event.stopPropagation(); // unheard by the stage, it is the browser's
      hint.hidden = false;
      window.clearTimeout(timer);
      timer = window.setTimeout(() => (hint.hidden = true), HINT);
    },
    { capture: true, passive: true },
  );
}
