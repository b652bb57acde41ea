// Carries a plan out: makes nodes, takes links over, removes what is replaced. Imports only what imports nothing, so Node can test it.
import { linkOf, ownTitle, plug, slot, widgetOf } from "../panel/wiring.js";
import { SHOWN, broughtIn, hideUnused, showOutside } from "./outside.js";
import { moves } from "./room.js";
import { holdersOf } from "./walk.js";

const GAP = 40;
const TITLE = 30; // pixels above a node's position
const COLUMN = 600; // pixels of nodes on top of each other

// plan: as of plan.js. main: key of the made node that gets the first one's place, id and title; outputs: [key, place] for each of the last one's, by place;
// shown: inputs of `main` that a subgraph's node is to show. create(type) makes a node. The main one.
export function carryOut({ sampler, made, last, removed, rewired = [], ways = [] }, create, root, { main, outputs, shown = [] }) {
  const { graph, id, pos, size } = sampler;
  const targets = outputs.map((_, place) => targetsOf(last, place));
  const typed = typedAround(removed, root);
  const nodes = new Map(made.map(({ key, type }) => [key, looksLike(create(type), sampler)]));
  const node = nodes.get(main);
  node.title = ownTitle(sampler) ?? node.title;
  for (const old of removed) graph.remove(old);
  node.id = id; // free now; apps name their widgets by it
  for (const one of nodes.values()) graph.add(one);
  lay([...nodes.values()], [...pos, ...size], graph);
  for (const one of made) fill(graph, one, nodes);
  for (const { node: kept, name, cable } of rewired) if (cable) plug(graph, cable, kept, name);
  const brought = ways.flatMap(({ key, name, way }) => reach(graph, way, nodes.get(key), name, root));
  targets.forEach((ends, place) => ends.forEach((end) => feed(graph, nodes.get(outputs[place][0]), outputs[place][1], end)));
  for (const { holder, name, value } of typed) if (widgetOf(holder, name)) widgetOf(holder, name).value = value;
  const ids = [...brought, ...shown.flatMap((name) => showOutside(node, name, root))];
  if (ids.length) node.properties = { ...node.properties, [SHOWN]: ids };
  hideUnused(sampler.properties?.[SHOWN], root);
  graph.updateExecutionOrder?.(); // as queueing does: else that would be another step for Ctrl+Z
  return node;
}

// Muted, bypassed or coloured as the other one.
function looksLike(node, other) {
  for (const key of ["mode", "color", "bgcolor"]) if (other[key] !== undefined) node[key] = other[key];
  return node;
}

// What an output is linked to: [id of the node or of the subgraph's own output, place].
function targetsOf(node, place) {
  const links = (node.outputs[place]?.links ?? []).map((id) => linkOf(node.graph, id)).filter(Boolean);
  return links.map(({ target_id, target_slot }) => [target_id, target_slot]);
}

function feed(graph, node, place, [id, at]) {
  const target = graph.getNodeById(id);
  if (target) node.connect(place, target, at);
  else graph.outputNode?.slots?.[at]?.connect(node.outputs[place], node);
}

// What is typed into widgets that go when their last link does: those of subgraph nodes, and of primitives.
function typedAround(nodes, root) {
  const around = new Set();
  for (const { graph, inputs } of nodes) {
    for (let holders = holdersOf(graph, root); holders.length; holders = holders.flatMap((holder) => holdersOf(holder.graph, root))) holders.forEach((holder) => around.add(holder));
    for (const { link } of inputs ?? []) around.add(graph.getNodeById(linkOf(graph, link)?.origin_id));
  }
  const holders = [...around].filter((node) => node?.subgraph || node?.type === "PrimitiveNode");
  return holders.flatMap((holder) => (holder.widgets ?? []).map(({ name, value }) => ({ holder, name, value })));
}

// Values and links of a node that was made.
function fill(graph, { key, values, wires }, nodes) {
  const node = nodes.get(key);
  for (const widget of node.widgets ?? []) if (widget.name in values) widget.value = values[widget.name]; // as it is: a callback would round it
  for (const [name, cable] of Object.entries(wires)) {
    if (cable?.made) nodes.get(cable.made).connect(cable.slot, node, slot(node.inputs, name));
    else if (cable) plug(graph, cable, node, name);
  }
}

// Links an input over the borders of subgraphs where it must. Ids of the subgraph inputs that it took.
function reach(graph, way, node, name, root) {
  const { cable, ids } = way.outer ? broughtIn(graph, way.outer, name, node.inputs[slot(node.inputs, name)].type, root) : { cable: way, ids: [] };
  plug(graph, cable, node, name);
  return ids;
}

// Puts nodes beside each other where one was, in columns, and moves what lies right of it or below.
function lay(nodes, box, graph) {
  const others = graph.nodes.filter((node) => !nodes.includes(node));
  let [right, bottom, column] = [box[0], box[1], box[0]];
  let deepest = bottom;
  for (const node of nodes) {
    if (bottom > box[1] && bottom + node.size[1] > box[1] + COLUMN) [column, bottom] = [right + GAP, box[1]];
    node.pos = [column, bottom];
    right = Math.max(right, column + node.size[0]);
    bottom += node.size[1] + TITLE + GAP;
    deepest = Math.max(deepest, bottom - TITLE - GAP);
  }
  const boxes = others.map(({ pos, size }) => [...pos, ...size]);
  moves(box, [right - box[0], deepest - box[1]], boxes, GAP).forEach(([dx, dy], at) => {
    const { pos } = others[at];
    if (dx || dy) others[at].pos = [pos[0] + dx, pos[1] + dy];
  });
}
