/** What Python sends (web/panel/panes/__init__.py), and what Streamlit gives a component. */
import type { Orbit, Reach } from "./orbit.mjs";

export interface LegendData {
  readonly low: number;
  readonly high: number;
  readonly colours: readonly (readonly [number, number, number])[];
  readonly unit: string;
}

export interface PaneData {
  readonly title: string;
  readonly caption: string;
  readonly legend: LegendData | null;
  /** Names; the same name is the same picture. */
  readonly frames: readonly string[];
  /** Width and height of the first one, in pixels. */
  readonly size: readonly [number, number] | null;
  /** Why there are none. */
  readonly problem: string;
}

export interface PanesData {
  readonly key: string;
  readonly panes: readonly PaneData[];
  /** Names to addresses. */
  readonly files: Readonly<Record<string, string>>;
  readonly slider: readonly [number, number] | null;
  readonly fps: number;
  readonly background: string | null;
  readonly steer: (Orbit & { readonly answers: number }) | null;
  readonly reach: Reach;
}

/** Of what `st.components.v2` hands to a component's default export, what is used here. */
export interface Mount {
  readonly data: PanesData | null;
  readonly parentElement: HTMLElement | ShadowRoot;
  setStateValue(name: string, value: unknown): void;
}

/** All panes beside each other; two in one frame with a divider; two in one frame, one after the other. */
export type Mode = "panes" | "slider" | "flicker";
