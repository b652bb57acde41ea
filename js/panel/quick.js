// What one click does to the picture under the pointer, and one key to the one in focus.
import { button, make } from "./dom.js";
import { quick } from "./offers.js";

// Moves the buttons to this picture's cell; -1 takes them away.
export function drawQuick(view, id) {
  const offered = id >= 0 ? quick(view.search, id, view.node) : [];
  const key = JSON.stringify([view.search?.search, id, offered]);
  const bar = (view.quick ??= make("div", "ns-quick"));
  if (bar.dataset.key !== key) {
    bar.dataset.key = key;
    bar.replaceChildren(...offered.map((one) => button(one.label, `${one.title} (${one.key.toUpperCase()})`, () => run(view, id, one))));
  }
  const cell = offered.length ? view.cells.get(id) : null;
  if (!cell) bar.remove();
  else if (bar.parentElement !== cell) cell.append(bar);
}

// Whether the key is one of them for this picture.
export function pressedQuick(view, id, key) {
  const found = id >= 0 && quick(view.search, id, view.node).find((one) => one.key === key);
  if (found) run(view, id, found);
  return Boolean(found);
}

const run = (view, id, { act: [name, ...more] }) => view.actions[name](id, ...more);
