// Begins a search at a found noise: puts the nodes for it into the graph. Imports only what imports nothing, so Node can test it.
import { isLinked, moveOutput, originOf, putFree, reconnectInput, setWidget, slot, widgetOf } from "./wiring.js";
import { say } from "../words.js";

const MINE = "noise_search_for"; // property of the nodes that were put here, with the id of the search node
export const LARGEST = 2 ** 50; // of seeds that a page holds exactly
const OWN_SAMPLING = ["model", "positive", "negative", "latent_image", "vae", "steps", "cfg", "sampler_name", "scheduler", "denoise"];

// A node that begins with a picture takes no noise.
export const canStart = (node) => slot(node.inputs ?? [], "noise") >= 0 && !isLinked(node, "image") && !isLinked(node, "latent");

// Sets the node up to try `count` noises near that of the recipe; `create(type)` makes a node. What was connected to noise before, or "".
export function vary(node, recipe, similarity, count, create) {
  const { graph } = node;
  graph.beforeChange();
  const before = mine(node, "noise", "NoiseVariations");
  const varied = before ?? put(node, node, "NoiseVariations", create);
  const lost = before || !isLinked(node, "noise") ? "" : originOf(node, "noise")?.title ?? say("another node");
  const source = mine(varied, "noise", "NoiseFromRecipe") ?? put(node, varied, "NoiseFromRecipe", create);
  if (lost) reconnectInput(node, source, "noise", "noise"); // for recipes that began with it
  if (slot(node.inputs, "region") >= 0) reconnectInput(node, source, "region", "region");
  setWidget(varied, "seed", nextSeed(node, varied, before && widgetOf(source, "recipe").value === recipe && widgetOf(varied, "similarity").value === similarity));
  setWidget(source, "recipe", recipe);
  setWidget(varied, "count", count);
  setWidget(varied, "similarity", similarity);
  setWidget(varied, "include_source", true);
  source.connect(0, varied, slot(varied.inputs, "noise"));
  varied.connect(0, node, slot(node.inputs, "noise"));
  graph.afterChange();
  return lost;
}

export const isVarying = (node) => Boolean(mine(node, "noise", "NoiseVariations"));

// Takes away what `vary` put there, and connects what was there before.
export function stopVarying(node) {
  const { graph } = node;
  const varied = mine(node, "noise", "NoiseVariations");
  if (!varied) return;
  const source = mine(varied, "noise", "NoiseFromRecipe");
  graph.beforeChange();
  node.disconnectInput(slot(node.inputs, "noise"));
  if (source) reconnectInput(source, node, "noise", "noise");
  for (const made of [varied, source]) if (made && !made.outputs[0].links?.length) graph.remove(made); // the first one's removal frees the second
  graph.afterChange();
}

// Puts another search below, which begins at the recipe's noise and feeds what the node fed. The new node.
export function goOn(node, type, recipe, create) {
  const { graph } = node;
  graph.beforeChange();
  const next = follow(node, type, create);
  const source = put(next, next, "NoiseFromRecipe", create);
  if (isLinked(node, "noise")) reconnectInput(node, source, "noise", "noise");
  if (isLinked(node, "region")) reconnectInput(node, source, "region", "region");
  setWidget(source, "recipe", recipe);
  source.connect(0, next, slot(next.inputs, "noise"));
  graph.afterChange();
  return next;
}

// Puts a Refine Search below, which begins at the picture that the node makes; the node's recipe says which. With a depth it makes `count` versions
// that go so far back into noise, and the one that was put there for that before is used again. The new node.
export function refine(node, { depth, count }, create) {
  const { graph } = node;
  graph.beforeChange();
  const known = depth && graph.nodes.find(({ type, properties }) => type === "RefineSearch" && properties?.[MINE] === String(node.id));
  const next = known || follow(node, "RefineSearch", create);
  if (known) setWidget(next, "seed", (widgetOf(next, "seed").value + 1) % LARGEST);
  else node.connect(slot(node.outputs, "LATENT"), next, slot(next.inputs, "latent"));
  if (depth) {
    next.properties = { ...next.properties, [MINE]: String(node.id) };
    for (const [name, value] of Object.entries({ depth, children: count, pictures: Math.ceil(depth * count) })) setWidget(next, name, value);
  }
  graph.afterChange();
  return next;
}

// A search below with the settings and sources of this one, which feeds what it fed.
function follow(node, type, create) {
  const next = create(type);
  node.graph.add(next);
  putFree(next, [node.pos[0], node.pos[1] + node.size[1] + 70]);
  for (const widget of next.widgets) if (widgetOf(node, widget.name) && widget.name !== "recipe") setWidget(next, widget.name, widgetOf(node, widget.name).value);
  for (const { name } of next.inputs) if (isLinked(node, name) && name !== "noise" && name !== "recipe") reconnectInput(node, next, name, name);
  if (slot(node.inputs, "sampling") < 0) setup(node, next, create).connect(0, next, slot(next.inputs, "sampling"));
  node.outputs.forEach(({ name }) => moveOutput(node, name, next, slot(next.outputs, name)));
  return next;
}

// A Sampling Setup with the node's own inputs.
function setup(node, next, create) {
  const made = put(next, next, "SamplingSetup", create);
  for (const name of OWN_SAMPLING) {
    if (isLinked(node, name)) reconnectInput(node, made, name, name);
    else if (widgetOf(node, name)) setWidget(made, name, widgetOf(node, name).value);
  }
  return made;
}

// A new node for the search node, left of what it will be connected to.
function put(node, target, type, create) {
  const made = create(type);
  node.graph.add(made);
  made.properties = { ...made.properties, [MINE]: String(node.id) };
  putFree(made, [target.pos[0] - made.size[0] - 60, target.pos[1]]);
  return made;
}

// The node behind an input, if it was put there by `vary`.
function mine(node, name, type) {
  const found = originOf(node, name);
  return found?.type === type && found.properties?.[MINE] ? found : undefined;
}

// Variations of the same noise that were not made yet.
function nextSeed(node, varied, again) {
  if (again) return (widgetOf(varied, "seed").value + 1) % LARGEST;
  const own = widgetOf(node, "seed")?.value;
  return Number.isFinite(own) ? Math.floor(own) % LARGEST : 0;
}
