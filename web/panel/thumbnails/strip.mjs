// A list box of thumbnails that scrolls sideways; Streamlit calls the default function again whenever its data change.

/**
 * @typedef {{ name: string, caption: string, picture: string }} Item
 * @typedef {{ label: string, items: Item[], chosen: string | null }} Data
 * @typedef {{ data: Data, parentElement: Element | ShadowRoot, setStateValue: (name: string, value: unknown) => void }} Component
 */

const STEPS = new Map([
  ["ArrowLeft", -1],
  ["ArrowRight", 1],
]);

/** @param {Item} item */
function option(item) {
  const element = document.createElement("button");
  element.type = "button";
  element.setAttribute("role", "option");
  element.append(document.createElement("img"), document.createElement("span"));
  element.dataset.name = item.name;
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {Item} item
 * @param {boolean} chosen
 */
function fill(element, item, chosen) {
  element.setAttribute("aria-selected", String(chosen));
  element.setAttribute("aria-label", `${item.name}, ${item.caption}`);
  element.title = item.name;
  element.tabIndex = chosen ? 0 : -1;
  const picture = /** @type {HTMLImageElement} */ (element.firstElementChild);
  if (picture.getAttribute("src") !== item.picture) picture.setAttribute("src", item.picture);
  picture.alt = "";
  picture.hidden = item.picture === "";
  /** @type {HTMLElement} */ (element.lastElementChild).textContent = item.caption;
}

/**
 * @param {Element | ShadowRoot} parent
 * @param {string} label
 */
function listIn(parent, label) {
  let list = /** @type {HTMLElement | null} */ (parent.querySelector("[role=listbox]"));
  if (list === null) {
    list = document.createElement("div");
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-orientation", "horizontal");
    parent.append(list);
  }
  list.setAttribute("aria-label", label);
  return list;
}

/**
 * @param {HTMLElement} list
 * @param {HTMLElement} element
 */
function bringIntoView(list, element) {
  const room = (list.clientWidth - element.offsetWidth) / 2;
  const left = element.offsetLeft - list.offsetLeft;
  if (left < list.scrollLeft || left + element.offsetWidth > list.scrollLeft + list.clientWidth)
    list.scrollLeft = left - room;
}

/** @param {Component} component */
export default function show({ data, parentElement, setStateValue }) {
  const list = listIn(parentElement, data.label);
  const names = data.items.map((item) => item.name);
  const old = [...list.children].map((child) => /** @type {HTMLElement} */ (child).dataset.name);
  if (names.join("\n") !== old.join("\n")) list.replaceChildren(...data.items.map(option));
  const options = /** @type {HTMLElement[]} */ ([...list.children]);

  /** @param {number} number */
  const choose = (number) => {
    const item = data.items[number];
    if (item === undefined) return;
    options.forEach((element, k) => fill(element, data.items[k] ?? item, k === number));
    options[number]?.focus({ preventScroll: true });
    setStateValue("chosen", item.name);
  };
  options.forEach((element, k) => {
    const item = data.items[k];
    if (item === undefined) return;
    fill(element, item, item.name === data.chosen);
    element.onclick = () => choose(k);
    element.onkeydown = (event) => {
      const step = STEPS.get(event.key);
      if (step === undefined) return;
      event.preventDefault();
      event.stopPropagation(); // the arrow keys are also the page's, for the next view
      choose(k + step);
    };
  });
  const chosen = options[names.indexOf(data.chosen ?? "")];
  if (chosen !== undefined) bringIntoView(list, chosen);
  else if (options[0] !== undefined) options[0].tabIndex = 0;
}
