// A button that opens a menu above everything, for the mouse and the keyboard.
import { button, make } from "./dom.js";

const GAP = 4;

// items: [{ label, title, act() }, …]. The button; its menu lies in it.
export function menu(text, title, items) {
  const list = make("div", "ns-menu", { role: "menu", popover: "auto", ariaLabel: title });
  const opener = button(`${text} ▾`, title, () => list.togglePopover());
  opener.setAttribute("aria-haspopup", "menu");
  for (const { label, title: hint, act } of items) {
    const item = button(label, hint, () => { list.hidePopover(); act(); });
    item.setAttribute("role", "menuitem");
    list.append(item);
  }
  list.addEventListener("toggle", ({ newState }) => opened(list, opener, newState === "open"));
  list.addEventListener("keydown", (event) => keyed(list, opener, event));
  for (const kind of ["pointerdown", "wheel", "click"]) list.addEventListener(kind, (event) => event.stopPropagation());
  return make("span", "ns-opener", {}, opener, list);
}

export const isOpen = (root) => Boolean(root.querySelector(".ns-menu:popover-open"));

function opened(list, opener, open) {
  opener.setAttribute("aria-expanded", String(open));
  if (!open) return;
  const from = opener.getBoundingClientRect(), { width, height } = list.getBoundingClientRect();
  const above = from.top - height - GAP;
  const top = from.bottom + GAP + height <= innerHeight || above < 0 ? from.bottom + GAP : above;
  list.style.left = `${Math.max(GAP, Math.min(from.left, innerWidth - width - GAP))}px`;
  list.style.top = `${Math.max(GAP, Math.min(top, innerHeight - height - GAP))}px`;
  list.firstElementChild?.focus();
}

function keyed(list, opener, event) {
  const items = [...list.children], at = items.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (next !== undefined) items.at(next % items.length)?.focus();
  else if (event.key === "Escape") {
    list.hidePopover();
    opener.focus();
  }
  if (next !== undefined || event.key === "Escape") event.preventDefault();
  event.stopPropagation(); // in the page arrows move the node, and Delete removes it
}
