// Inputs of a subgraph for a node in it: what its node outside shows, and what is brought in. Imports only what imports nothing, so Node can test it.
import { everyNode, plug, slot } from "../panel/wiring.js";
import { holdersOf } from "./walk.js";

export const SHOWN = "noise_search_shown"; // property of a node: ids of the subgraph inputs that were made for it

// Shows an input of a node on the subgraph node that holds it, and on those around that one. The ids of the new subgraph inputs, innermost first.
export function showOutside(node, name, root) {
  const { graph } = node;
  const input = node.inputs?.[slot(node.inputs, name)];
  if (!graph.inputNode || !input) return [];
  const shown = graph.addInput(freeName(graph, name), input.type);
  shown.connect(input, node);
  const holders = holdersOf(graph, root);
  return [shown.id, ...(holders.length === 1 ? showOutside(holders[0], shown.name, root) : [])];
}

function freeName(graph, name) {
  const taken = new Set(graph.inputs.map((input) => input.name));
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${name}_${number}`;
  return free;
}

// Leads what a node of a graph further out makes into a subgraph: { cable, ids of the new subgraph inputs }.
export function broughtIn(graph, source, name, type, root) {
  const [holder] = holdersOf(graph, root);
  const outside = holder.graph === source.node.graph;
  const { cable, ids } = outside ? { cable: { id: source.node.id, slot: source.slot }, ids: [] } : broughtIn(holder.graph, source, name, type, root);
  const input = graph.addInput(freeName(graph, name), type);
  plug(holder.graph, cable, holder, input.name);
  return { cable: { id: graph.inputNode.id, slot: graph.inputs.indexOf(input) }, ids: [input.id, ...ids] };
}

// Removes those of some subgraph inputs that nothing in their subgraph reads any more, innermost first.
export function hideUnused(ids = [], root) {
  const graphs = [...new Set(everyNode(root).map(({ graph }) => graph))].filter(({ inputNode }) => inputNode);
  for (const id of ids) {
    const graph = graphs.find(({ inputs }) => inputs.some((input) => input.id === id));
    const input = graph?.inputs.find((one) => one.id === id);
    if (input && !input.linkIds.length) graph.removeInput(input);
  }
}
