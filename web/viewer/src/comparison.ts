/**
 * A second picture over the first, of which a divider shows as much as one likes.
 *
 *     poses -> first viewer  -> canvas, clipped on the right
 *           -> second viewer -> canvas in #second, clipped on the left
 *
 * Both hear of every camera; each draws as fast as it can.
 */
import { dividerAfter, type Label, labelOf, sameProportions } from "./compare";
import { element, made } from "./dom";
import type { CameraPose, Manifest } from "./manifest";
import type { Options } from "./options";
import type { Look, Running } from "./protocol";
import type { Scene } from "./scene";
import { Stage } from "./stage";
import { Trouble, type TroubleParts } from "./trouble";
import { Viewer } from "./viewer";

const MIDDLE = 50; // percent of the width

/** Throws Trouble where the two scenes' pictures have different proportions. */
export function checkProportions(first: Scene, second: Scene): void {
  const [a, b] = [first.manifest.models[0]!, second.manifest.models[0]!];
  if (sameProportions(a, b)) return;
  throw new Trouble(
    `comparing with ${second.manifest.name}`,
    `a picture of ${b.width} × ${b.height}`,
    `the proportions of ${a.width} × ${a.height}`,
    "compare with a scene whose pictures have the same proportions",
  );
}

export class Comparison {
  readonly #viewer: Viewer;
  readonly #stage: Stage;
  readonly #picture = element("picture");
  readonly #divider = element("divider");
  readonly #first = made("p", "", { className: "side first" });
  readonly #second = made("p", "", { className: "side second" });
  readonly #over = new AbortController();
  readonly #named: boolean;
  #percent = MIDDLE;

  /** `failed` hears why there is no second picture; it then has to close this. */
  constructor(
    scene: Scene,
    options: Options,
    first: Scene & { readonly running: Running | null },
    failed: (trouble: TroubleParts) => void,
    note: (text: string) => void,
  ) {
    const { manifest } = scene;
    const holder = element("second");
    holder.hidden = this.#divider.hidden = false;
    document.documentElement.toggleAttribute("data-compare", true);
    this.#picture.append(this.#first, this.#second);
    this.#named = first.manifest !== manifest;
    this.firstIs(first.manifest, first.running);
    say(this.#second, { title: manifest.name, detail: "loading" });
    this.#stage = new Stage(holder, manifest, null, (size) => this.#viewer.resize(size));
    this.#viewer = new Viewer(scene, options, this.#stage, {
      progress: (received, total) =>
        say(this.#second, {
          title: manifest.name,
          detail: received < total ? `${Math.floor((100 * received) / total)} %` : "starting",
        }),
      running: (running) => this.#name(labelOf(manifest, running, this.#named)),
      drawn: () => {},
      note,
      failed,
    });
    this.#move(MIDDLE);
    this.#attach();
  }

  show(pose: CameraPose): void {
    this.#viewer.show(pose);
  }

  rest(): void {
    this.#viewer.rest();
  }

  look(look: Look): void {
    this.#viewer.look(look);
  }

  pause(paused: boolean): void {
    this.#viewer.pause(paused);
  }

  /** The first picture is drawn by something else now. */
  firstIs(manifest: Manifest, running: Running | null): void {
    const { name } = manifest;
    const label = running === null ? null : labelOf(manifest, running, this.#named);
    say(this.#first, label ?? { title: name, detail: "loading" });
  }

  /** End the second worker, and show the first picture whole. */
  close(): void {
    this.#over.abort();
    this.#viewer.close();
    this.#stage.close();
    this.#first.remove();
    this.#second.remove();
    element("second").hidden = this.#divider.hidden = true;
    document.documentElement.removeAttribute("data-compare");
  }

  #name(label: Label): void {
    say(this.#second, label);
    this.#divider.setAttribute("aria-label", `Divider: on the right ${label.title}`);
  }

  #move(percent: number): void {
    this.#percent = percent;
    this.#picture.style.setProperty("--split", `${percent}%`);
    const whole = Math.round(percent);
    this.#divider.setAttribute("aria-valuenow", String(whole));
    this.#divider.setAttribute("aria-valuetext", `${whole} % left, ${100 - whole} % right`);
  }

  /** The stage steers by the same events, and must not hear of these. */
  #attach(): void {
    const { signal } = this.#over;
    const divider = this.#divider;
    const follow = ({ clientX }: PointerEvent): void => {
      const { left, width } = this.#picture.getBoundingClientRect();
      this.#move(Math.min(Math.max((100 * (clientX - left)) / width, 0), 100));
    };
    divider.addEventListener(
      "pointerdown",
      (event) => {
        event.stopPropagation();
        divider.setPointerCapture(event.pointerId);
      },
      { signal },
    );
    divider.addEventListener(
      "pointermove",
      (event) => {
        event.stopPropagation();
        if (divider.hasPointerCapture(event.pointerId)) follow(event);
      },
      { signal },
    );
    for (const kind of ["pointerup", "dblclick", "contextmenu"] as const)
      divider.addEventListener(kind, (event) => event.stopPropagation(), { signal });
    divider.addEventListener(
      "keydown",
      (event) => {
        const percent = dividerAfter(event.key, this.#percent);
        if (percent === null || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        event.stopPropagation();
        this.#move(percent);
      },
      { signal },
    );
  }
}

function say(side: HTMLElement, { title, detail }: Label): void {
  side.replaceChildren(made("b", title), detail);
}
