// What becomes of a Noise Search node when a stock KSampler with the found seed takes its place. Imports only what imports nothing, so Node can test it.
import { carryOut } from "../swap/carry_out.js";
import { cableOf, isLinked, setValue, typedInto } from "./wiring.js";

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

// Replaces the node in its graph by a KSampler with its id, and the seed where it is typed; `create(type)` makes a node. The new KSampler.
export function replace(node, seed, create, root) {
  const { widgets, inputs, decode } = plan(node, seed);
  inputs.push(...seedOutside(node, seed, root));
  const { vae, ...wires } = Object.fromEntries([...inputs, "vae"].map((name) => [name, cableOf(node, name)]));
  const sampler = { key: "sampler", type: "KSampler", values: widgets, wires };
  const decoder = { key: "decoder", type: "VAEDecode", values: {}, wires: { samples: { made: "sampler", slot: 0 }, vae } };
  const made = decode ? [sampler, decoder] : [sampler];
  return carryOut({ sampler: node, made, last: node, removed: [node] }, create, root, { main: "sampler", outputs: decode ? [["sampler", 0], ["decoder", 0]] : [["sampler", 0]] });
}

// Types the seed where a subgraph's node shows it; the input that stays linked to it then.
function seedOutside(node, seed, root) {
  const shown = isLinked(node, "seed") && typedInto(node, "seed", root);
  if (shown) setValue(shown, Number(seed));
  return shown ? ["seed"] : [];
}
