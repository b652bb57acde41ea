// Recipes that came with a workflow, and the widgets that they belong in. Imports only what imports nothing, so Node can test it.
import { linkOf, slot, widgetOf } from "./wiring.js";

const KEY = "noise_search"; // nodes/host/files/metadata.py
const WIDGETS = ["recipe", "choice"];

// Takes the recipes out of a graph: by node, a text, or several where the server could not tell which of them it is.
export function takeOut(root) {
  const found = root?.extra?.[KEY]?.recipes;
  if (root?.extra) delete root.extra[KEY];
  return found && typeof found === "object" ? found : {};
}

// [{ widget, texts }, …]: what each widget may hold. Copies of one subgraph that found different ones share a widget: each searches again.
export function placesOf(root, recipes) {
  const found = new Map();
  for (const [path, given] of Object.entries(recipes)) {
    const texts = [given].flat().filter((text) => typeof text === "string" && text);
    const widget = texts.length ? widgetAt(root, String(path).split(":")) : undefined;
    if (widget) found.set(widget, [...(found.get(widget) ?? []), texts]);
  }
  return [...found].map(([widget, all]) => ({ widget, texts: new Set(all.map(String)).size === 1 ? all[0] : [""] }));
}

// The widget that a node's result is typed into: its own, or that of the subgraph that shows it; undefined where another node gives the value.
function widgetAt(root, path) {
  const nodes = [];
  for (let graph = root; nodes.length < path.length; graph = nodes.at(-1).subgraph) {
    const id = path[nodes.length];
    const node = graph?.getNodeById(id) ?? graph?.getNodeById(Number(id));
    if (!node) return undefined;
    nodes.push(node);
  }
  let node = nodes.pop(), name = WIDGETS.find((one) => widgetOf(node, one));
  while (node && name) {
    const link = linkOf(node.graph, node.inputs?.[slot(node.inputs, name)]?.link);
    if (!link) return widgetOf(node, name);
    if (link.origin_id !== node.graph.inputNode?.id) return undefined;
    name = node.graph.inputs[link.origin_slot]?.name;
    node = nodes.pop();
  }
  return undefined;
}
