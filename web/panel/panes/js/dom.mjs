/** Elements in one line. */

/**
 * A new element. Properties whose name has a dash, and `role`, are attributes; `on...` are listeners.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} properties
 * @param {readonly (Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, children = []) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, String(value));
    else Object.assign(element, { [name]: value });
  }
  element.append(...children);
  return element;
}

/**
 * Change an element's text only where it differs: nothing is laid out again for nothing.
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function tell(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
