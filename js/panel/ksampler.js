// What becomes of a Noise Search node when a stock KSampler with the found seed takes its place. Imports only what imports nothing, so Node can test it.
import { moveOutput, reconnectInput, slot } from "./wiring.js";

const SAME = ["model", "positive", "negative", "latent_image"];
const WIDGETS = ["steps", "cfg", "sampler_name", "scheduler", "denoise"];
const KEPT_OUTPUTS = new Set(["LATENT", "IMAGE"]);

// Values of the KSampler's widgets, connected inputs that are kept, whether a VAE Decode is needed, outputs that are lost.
export function plan(node, seed) {
  const value = (name) => node.widgets.find((widget) => widget.name === name)?.value;
  const connected = (node.inputs ?? []).filter(({ link }) => link !== null && link !== undefined).map(({ name }) => name);
  const used = (node.outputs ?? []).filter(({ links }) => links?.length).map(({ name }) => name);
  return {
    widgets: { seed: Number(seed), control_after_generate: "fixed", ...Object.fromEntries(WIDGETS.map((name) => [name, value(name)])) },
    inputs: [...SAME, ...WIDGETS].filter((name) => connected.includes(name)),
    decode: used.includes("IMAGE"),
    lost: used.filter((name) => !KEPT_OUTPUTS.has(name)),
  };
}

// Muted, bypassed or coloured as the other one.
function looksLike(node, other) {
  for (const key of ["mode", "color", "bgcolor"]) if (other[key] !== undefined) node[key] = other[key];
}

// The title that somebody gave the node; undefined where it has the one of its kind.
export const ownTitle = (node) => (node.title && node.title !== node.constructor?.title ? node.title : undefined);

// Replaces the node in its graph; `create(type)` makes a node. The new KSampler.
export function replace(node, seed, create) {
  const { graph } = node;
  const { widgets, inputs, decode } = plan(node, seed);
  graph.beforeChange();
  const sampler = create("KSampler");
  graph.add(sampler);
  sampler.pos = [...node.pos];
  looksLike(sampler, node);
  sampler.title = ownTitle(node) ?? sampler.title;
  for (const widget of sampler.widgets) if (widget.name in widgets) widget.value = widgets[widget.name];
  for (const name of inputs) reconnectInput(node, sampler, name, name);
  moveOutput(node, "LATENT", sampler, 0);
  if (decode) {
    const decoder = create("VAEDecode");
    graph.add(decoder);
    decoder.pos = [node.pos[0], node.pos[1] + sampler.size[1] + 60];
    looksLike(decoder, node);
    sampler.connect(0, decoder, slot(decoder.inputs, "samples"));
    reconnectInput(node, decoder, "vae", "vae");
    moveOutput(node, "IMAGE", decoder, 0);
  }
  graph.remove(node);
  graph.afterChange();
  return sampler;
}
