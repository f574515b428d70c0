/* Sorting tables, ordering views, and dragging between two pictures. The page is whole without it. */
"use strict";

const keyOf = (cell) => {
  const text = cell.dataset.key ?? cell.textContent;
  const number = Number(text);
  if (text === "-inf") return -Infinity;
  return text.trim() === "" || Number.isNaN(number) ? text : number;
};

const compare = (a, b) => {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
};

/** Rows without a figure stay last, whichever way the others go. */
function sortBy(table, heading, column) {
  const descending = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[column]) }));
  keyed.sort((a, b) => {
    if (a.key === -Infinity || b.key === -Infinity)
      return (a.key === -Infinity) - (b.key === -Infinity);
    return descending ? compare(b.key, a.key) : compare(a.key, b.key);
  });
  body.append(...keyed.map(({ row }) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) sortBy(table, button.parentElement, Number(button.dataset.column));
  });
}

const strips = document.getElementById("strips");
const ORDERS = {
  worst: (a, b) => a.dataset.psnr - b.dataset.psnr,
  best: (a, b) => b.dataset.psnr - a.dataset.psnr,
  newest: (a, b) => b.dataset.degrees - a.dataset.degrees,
  name: (a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true }),
};

function choosePair(pair, left, right) {
  const find = (role) =>
    [...pair.parentElement.querySelectorAll("img[data-role]")].find(
      (image) => image.dataset.role === role,
    );
  const shown = [find(left), find(right)];
  pair.hidden = shown.includes(undefined);
  if (pair.hidden) return;
  pair.querySelectorAll(".stack img").forEach((image, k) => (image.src = shown[k].src));
  pair.querySelectorAll("strong").forEach((name, k) => (name.textContent = [left, right][k]));
}

function drag(pair) {
  const stack = pair.querySelector(".stack");
  const slider = pair.querySelector("input");
  const show = () => pair.style.setProperty("--cut", `${slider.value}%`);
  const follow = (event) => {
    const box = stack.getBoundingClientRect();
    slider.value = String((100 * (event.clientX - box.left)) / box.width);
    show();
  };
  slider.addEventListener("input", show);
  stack.addEventListener("pointerdown", (event) => {
    stack.setPointerCapture(event.pointerId);
    follow(event);
  });
  stack.addEventListener("pointermove", (event) => {
    if (stack.hasPointerCapture(event.pointerId)) follow(event);
  });
}

if (strips) {
  const tools = document.getElementById("tools");
  const [left, right] = ["left", "right"].map((id) => document.getElementById(id));
  const pairs = [...document.querySelectorAll(".pair")];
  const choose = () => pairs.forEach((pair) => choosePair(pair, left.value, right.value));
  const order = document.getElementById("order");
  pairs.forEach(drag);
  order.addEventListener("change", () =>
    strips.append(...[...strips.children].sort(ORDERS[order.value])),
  );
  left.addEventListener("change", choose);
  right.addEventListener("change", choose);
  tools.hidden = false;
  choose();
}
