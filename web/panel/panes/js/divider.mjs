/** The vertical handle between two pictures in one frame. */
import { h, tell } from "./dom.mjs";
import { dividerAfter } from "./gesture.mjs";
import { clamp } from "./view.mjs";

export class Divider {
  root = h("div", { className: "divider", role: "slider", tabIndex: 0 });

  /** @param {(split: number) => void} moved by hand, to a fraction of the frame */
  constructor(moved) {
    const { root } = this;
    tell(root, "aria-orientation", "horizontal");
    tell(root, "aria-valuemin", "0");
    tell(root, "aria-valuemax", "100");
    root.addEventListener("pointerdown", (event) => {
      root.setPointerCapture(event.pointerId);
      event.stopPropagation();
    });
    root.addEventListener("pointermove", (event) => {
      const box = root.parentElement?.getBoundingClientRect();
      if (!root.hasPointerCapture(event.pointerId) || !box || box.width === 0) return;
      moved(clamp((event.clientX - box.left) / box.width, 0, 1));
    });
    root.addEventListener("dblclick", () => moved(0.5));
    root.addEventListener("keydown", (event) => {
      const percent = dividerAfter(event.key, Number(root.getAttribute("aria-valuenow")));
      if (percent === null || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      moved(percent / 100);
    });
  }

  /**
   * @param {number} split
   * @param {string} left
   * @param {string} right
   */
  show(split, left, right) {
    const percent = Math.round(100 * split);
    this.root.style.left = `${100 * split}%`;
    tell(this.root, "aria-valuenow", String(percent));
    tell(this.root, "aria-valuetext", `${percent} % ${left}, ${100 - percent} % ${right}`);
    tell(this.root, "aria-label", `Divider: ${left} to the left, ${right} to the right`);
  }
}
