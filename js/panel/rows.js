// Few rows on a search node: what is seldom set is folded away under ComfyUI's own "Show advanced", and the judge's text is no taller than it has to be.
// Imports only what imports nothing, so Node can test it.
import { isLinked, widgetOf } from "./wiring.js";

const SELDOM = ["minutes", "keep", "recipe"]; // beside those that the server says are advanced
const TEXT = 46; // pixels
const defaults = new WeakMap(); // of widgets

// Folds them, but for those that are connected, whose sockets are to be seen, and what somebody has set.
export function fold(node) {
  for (const widget of node.widgets) {
    const { name, options } = widget;
    if (!defaults.has(widget) && (SELDOM.includes(name) || options?.advanced)) defaults.set(widget, widget.value);
    if (!defaults.has(widget)) continue;
    const isSet = name !== "recipe" && widget.value !== defaults.get(widget); // the panel says what is held
    widget.advanced = !isSet && !isLinked(node, name); // the canvas
    Object.assign((widget.options ??= {}), { advanced: widget.advanced }); // Nodes 2.0
  }
  leaveNoGaps(node);
  keepLow(widgetOf(node, "prompt"));
}

// A text is no taller than what is in it asks for.
export function keepLow(text) {
  if (text?.options) Object.assign(text.options, { getMinHeight: () => TEXT, getMaxHeight: () => (text.value ? 3 : 1) * TEXT });
}

// The canvas leaves room for rows that are folded away.
function leaveNoGaps(node) {
  if (!node.getLayoutWidgets || Object.hasOwn(node, "getLayoutWidgets")) return;
  const all = node.getLayoutWidgets;
  node.getLayoutWidgets = function () {
    return all.call(this).filter(({ advanced }) => !advanced || this.showAdvanced);
  };
}
