// What a search needs beside the sampler's own inputs: the VAE of the decoder, and the text of the prompt. Imports only what imports nothing, so Node can test it.
import { cableOf } from "../panel/wiring.js";
import { downstream, holdersOf, inputOf, sourceOf } from "./walk.js";

const CONDITIONINGS = ["positive", "cond1", "conditioning", "conditioning_1", "conditioning_to"];
const TEXTS = ["text", "prompt", "clip_l", "t5xxl"];

const isDecoder = ({ node, input }) => inputOf(node, input)?.type === "LATENT" && Boolean(vaeInput(node)) && !node.outputs.some(({ type }) => type === "LATENT");

const vaeInput = (node) => node.inputs?.find(({ type }) => type === "VAE");

// What a sampler's latent is decoded by: { picture: a node that makes pictures of it, other: what else it becomes, as AUDIO }.
export function decoders(sampler, root) {
  const found = [...downstream(sampler, ["LATENT"], root)].filter(isDecoder).map(({ node }) => node);
  const picture = found.find(({ outputs }) => outputs.some(({ type }) => type === "IMAGE"));
  return { picture, other: picture ? "" : found[0]?.outputs[0]?.type ?? "" };
}

// How to reach the VAE from the sampler's graph; undefined where it cannot be told.
export function vaeFor(sampler, root) {
  const decoder = decoders(sampler, root).picture;
  return decoder && wayTo(sampler.graph, decoder, vaeInput(decoder).name, root);
}

// How to reach what is linked to an input of any node: a cable { id, slot } of the graph, or { outer: { node, slot } } of a graph around it.
function wayTo(graph, node, name, root) {
  if (node.graph === graph) return cableOf(node, name);
  const source = sourceOf(node, name, root);
  if (!source) return undefined;
  if (source.node.graph === graph) return { id: source.node.id, slot: source.slot };
  return isAround(source.node.graph, graph, root) ? { outer: source } : undefined;
}

// Whether one graph lies around another, with one subgraph node on each border between them.
function isAround(outer, inner, root) {
  const holders = holdersOf(inner, root);
  return holders.length === 1 && (holders[0].graph === outer || isAround(outer, holders[0].graph, root));
}

// How to reach the text that a node makes for the prompt behind an input; undefined where the text is typed in.
export function textFor(node, name, graph, root) {
  const seen = new Set();
  let at = sourceOf(node, name, root);
  while (at && !seen.has(at.node)) {
    seen.add(at.node);
    const next = conditioningOf(at);
    if (!next) return textOf(at.node, graph, root);
    at = sourceOf(at.node, next, root);
  }
  return undefined;
}

// The input that a conditioning, or a guider, goes on from.
function conditioningOf({ node, slot }) {
  const names = (node.inputs ?? []).filter(({ type }) => type === "CONDITIONING").map((input) => input.name);
  if (node.outputs[slot]?.name.startsWith("negative") && names.includes("negative")) return "negative";
  return CONDITIONINGS.find((name) => names.includes(name)) ?? names[0];
}

function textOf(encoder, graph, root) {
  const isMade = ({ name, type }) => type === "STRING" && (sourceOf(encoder, name, root)?.node.type ?? "PrimitiveNode") !== "PrimitiveNode"; // a widget that lies apart
  const linked = (encoder.inputs ?? []).filter(isMade).map(({ name }) => name);
  const name = TEXTS.find((one) => linked.includes(one)) ?? linked[0];
  return name && wayTo(graph, encoder, name, root);
}
