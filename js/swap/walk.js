// Follows what is linked, through reroutes, bypassed nodes and the borders of subgraphs. Imports only what imports nothing, so Node can test it.
import { cableOf, everyNode, linkOf, slot, typedInto } from "../panel/wiring.js";

const [MUTED, BYPASSED] = [2, 4]; // LiteGraph's modes
const same = (one, other) => String(one) === String(other);

export const isOff = (node) => node.mode === MUTED || node.mode === BYPASSED;

export const inputOf = (node, name) => node.inputs?.[slot(node.inputs, name)];

// The subgraph nodes that show a graph.
export const holdersOf = (graph, root) => everyNode(root).filter(({ subgraph }) => subgraph === graph);

// The node that makes an input's value, { node, slot }; undefined where it is typed in, or nothing is linked.
export const sourceOf = (node, name, root) => farEnd(node.graph, cableOf(node, name), root);

function farEnd(graph, cable, root) {
  if (!cable) return undefined;
  if (graph.inputNode && same(cable.id, graph.inputNode.id)) {
    const [holder] = holdersOf(graph, root);
    return holder && sourceOf(holder, graph.inputs[cable.slot].name, root);
  }
  const node = graph.getNodeById(cable.id);
  if (!node) return undefined;
  const through = passing(node, node.outputs[cable.slot]?.type, node.inputs, cable.slot);
  if (through) return sourceOf(node, through.name, root);
  return node.subgraph ? farEnd(node.subgraph, ending(node.subgraph, cable.slot), root) : { node, slot: cable.slot };
}

// What leaves a subgraph at one of its outputs.
function ending(subgraph, place) {
  const link = linkOf(subgraph, subgraph.outputs[place]?.linkIds[0]);
  return link && { id: link.origin_id, slot: link.origin_slot };
}

// The slot on the other side of a node that hands a value on as it is; undefined where it does not.
function passing(node, type, others, place) {
  if (node.type === "Reroute") return others[0];
  if (node.mode !== BYPASSED) return undefined;
  return others?.[place]?.type === type ? others[place] : others?.find((other) => other.type === type);
}

// What reads an output: [{ node, input }], real nodes that are not muted.
export function readersOf(node, place, root) {
  return (node.outputs[place]?.links ?? []).flatMap((id) => nearEnds(node.graph, linkOf(node.graph, id), root));
}

function nearEnds(graph, link, root) {
  if (!link) return [];
  if (graph.outputNode && same(link.target_id, graph.outputNode.id)) {
    return holdersOf(graph, root).flatMap((holder) => readersOf(holder, link.target_slot, root));
  }
  const node = graph.getNodeById(link.target_id);
  if (!node || node.mode === MUTED) return [];
  const input = node.inputs[link.target_slot];
  const through = passing(node, input.type, node.outputs, link.target_slot);
  if (through) return readersOf(node, node.outputs.indexOf(through), root);
  if (!node.subgraph) return [{ node, input: input.name }];
  const entry = node.subgraph.inputs.find(({ name }) => name === input.name);
  return (entry?.linkIds ?? []).flatMap((id) => nearEnds(node.subgraph, linkOf(node.subgraph, id), root));
}

// What is typed for an input: here, where a subgraph node shows it, or in a node that only holds a value; undefined where it is computed.
export function valueOf(node, name, root) {
  const widget = typedInto(node, name, root);
  if (widget) return widget.value;
  const source = sourceOf(node, name, root)?.node;
  return source?.type.startsWith("Primitive") ? source.widgets?.[0]?.value : undefined;
}

// Whether two inputs always have the same value: [node, name] each.
export function agree([one, name], [other, its], root) {
  const [near, next] = [cableOf(one, name), cableOf(other, its)];
  if (near && next && one.graph === other.graph && same(near.id, next.id) && near.slot === next.slot) return true;
  const [far, further] = [sourceOf(one, name, root), sourceOf(other, its, root)];
  if (far && further && far.node === further.node && far.slot === further.slot) return true;
  const value = valueOf(one, name, root);
  return value !== undefined && value === valueOf(other, its, root);
}

// Slots by what they carry; a switch carries anything.
const carries = (type, wanted) => type === "*" || wanted.includes(type) || String(type).startsWith("COMFY_");

// All nodes that a node's outputs of some types lead to, nearest first: [{ node, input }]; `stops` ends a way behind a reader.
export function* downstream(node, types, root, stops = () => false) {
  const waiting = [node], seen = new Set(waiting);
  while (waiting.length) {
    const at = waiting.shift();
    for (const [place, { type }] of at.outputs.entries()) {
      if (!carries(type, types)) continue;
      for (const reader of readersOf(at, place, root)) {
        yield reader;
        if (seen.has(reader.node) || stops(reader)) continue;
        seen.add(reader.node);
        waiting.push(reader.node);
      }
    }
  }
}
