// Links of the graph taken from one node to another. Imports nothing, so Node can test it.

export const slot = (entries, name) => entries.findIndex((entry) => entry.name === name);

export const linkOf = (graph, id) => (id === null || id === undefined ? undefined : graph.getLink?.(id) ?? graph.links[id]);

export const isLinked = (node, name) => (node.inputs ?? []).some((input) => input.name === name && input.link !== null && input.link !== undefined);

// The node that an input is linked to, if it is in the same graph.
export function originOf(node, name) {
  const link = node.graph && linkOf(node.graph, node.inputs?.[slot(node.inputs ?? [], name)]?.link);
  return link && node.graph.getNodeById(link.origin_id);
}

// The near end of what is linked to an input, { id, slot }: a node of the same graph, or the subgraph's own input.
export function cableOf(node, name) {
  const link = node.graph && linkOf(node.graph, node.inputs?.[slot(node.inputs, name)]?.link);
  return link && { id: link.origin_id, slot: link.origin_slot };
}

export function plug(graph, cable, node, name) {
  const place = slot(node.inputs, name), source = graph.getNodeById(cable.id);
  if (source) source.connect(cable.slot, node, place);
  else graph.inputNode?.slots?.[cable.slot]?.connect(node.inputs[place], node); // from the subgraph's own input
}

export function reconnectInput(from, to, name, target) {
  const cable = cableOf(from, name);
  if (cable) plug(from.graph, cable, to, target);
}

export function moveOutput(from, name, to, place) {
  for (const id of [...(from.outputs[slot(from.outputs, name)]?.links ?? [])]) {
    const link = linkOf(from.graph, id);
    const target = link && from.graph.getNodeById(link.target_id);
    if (target) to.connect(place, target, link.target_slot);
    else if (link) from.graph.outputNode?.slots?.[link.target_slot]?.connect(to.outputs[place], to);
  }
}

// The title that somebody gave the node; undefined where it has the one of its kind.
export const ownTitle = (node) => (node.title && node.title !== node.constructor?.title ? node.title : undefined);

// What the page calls an input or an output.
export function labelOf(entries, name) {
  const { label, localized_name } = entries?.[slot(entries, name)] ?? {};
  return label || localized_name || name;
}

export const widgetOf = (node, name) => node.widgets?.find((widget) => widget.name === name);

// The widget that an input's value is typed into: the node's own, or that of the subgraph that shows it; undefined where another node gives the value.
export function typedInto(node, name, root) {
  const link = node.graph && linkOf(node.graph, node.inputs?.[slot(node.inputs, name)]?.link);
  if (!link) return widgetOf(node, name);
  const shown = link.origin_id === node.graph.inputNode?.id ? node.graph.inputs[link.origin_slot]?.name : undefined;
  const holders = shown === undefined ? [] : everyNode(root).filter(({ subgraph }) => subgraph === node.graph);
  return holders.length === 1 ? typedInto(holders[0], shown, root) : undefined;
}

export const everyNode = (graph) => graph.nodes.flatMap((node) => [node, ...(node.subgraph ? everyNode(node.subgraph) : [])]);

export function setWidget(node, name, value) {
  const widget = widgetOf(node, name);
  if (widget) setValue(widget, value);
}

export function setValue(widget, value) {
  widget.value = value;
  widget.callback?.(value);
}

// Where a box of this size lies on nothing, from `place` on downwards. taken: [[x, y, width, height], …].
export function freePlace(taken, [x, y], [width, height], gap = 40) {
  for (;;) {
    const below = taken.filter(([left, top, wide, high]) => left < x + width + gap && x < left + wide + gap && top < y + height + gap && y < top + high + gap);
    if (!below.length) return [x, y];
    y = Math.max(...below.map(([, top, , high]) => top + high + gap));
  }
}

const TITLE = 30; // pixels above a node's position

export function putFree(node, place) {
  const taken = node.graph.nodes.filter((other) => other !== node).map(({ pos, size }) => [pos[0], pos[1] - TITLE, size[0], size[1] + TITLE]);
  const [x, y] = freePlace(taken, [place[0], place[1] - TITLE], [node.size[0], node.size[1] + TITLE]);
  node.pos = [x, y + TITLE];
}
