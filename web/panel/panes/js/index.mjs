/** The component as Streamlit calls it: once when it appears, and again whenever something that it was given changes. */
import { App } from "./app.mjs";
/** @import { Mount } from "./types.d.ts" */

/** @type {WeakMap<HTMLElement | ShadowRoot, App>} */
const apps = new WeakMap();

/** @param {Mount} mount */
export default function panes({ data, parentElement, setStateValue }) {
  const app = apps.get(parentElement) ?? new App(parentElement);
  apps.set(parentElement, app);
  if (data !== null) app.update(data, (orbit) => setStateValue("orbit", orbit));
  return () => {
    app.close();
    apps.delete(parentElement);
  };
}
