// Which sampler goes on from another one, and what lies between them. Imports only what imports nothing, so Node can test it.
import { ownTitle } from "../panel/wiring.js";
import { downstream, readersOf, sourceOf, valueOf } from "./walk.js";

const SAMPLERS = new Set(["KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"]);
const LTX = ["LTXVSeparateAVLatent", "LTXVCropGuides", "LTXVLatentUpsampler", "LTXVImgToVideoInplace", "LTXVConcatAVLatent"];
const BETWEEN = new Set([...LTX, "LatentUpscaleBy"]); // what our second stages do themselves

export const isCustom = ({ type }) => type === "SamplerCustom" || type === "SamplerCustomAdvanced";

export const isSampler = (node) => SAMPLERS.has(node.type);

export const nameOf = (node) => ownTitle(node) ?? node.constructor?.title ?? node.type;

const isLatent = ({ node, input }) => isSampler(node) && input === "latent_image";

// The sampler that a latent comes from, where it comes straight from one.
export function earlierOf(sampler, root) {
  const source = sourceOf(sampler, "latent_image", root)?.node;
  return source && isSampler(source) ? source : undefined;
}

// Whether a sampler draws noise.
export function drawsNoise(sampler, root) {
  if (sampler.type === "SamplerCustomAdvanced") return sourceOf(sampler, "noise", root)?.node.type !== "DisableNoise";
  return sampler.type === "KSampler" || ![false, "disable"].includes(valueOf(sampler, "add_noise", root));
}

// The sampler that goes on from this one over nodes that a second stage of ours replaces: { node, between, straight }, or undefined.
export function laterOf(sampler, root) {
  const reached = [...downstream(sampler, ["LATENT"], root, ({ node }) => !BETWEEN.has(node.type))];
  const node = reached.find(isLatent)?.node;
  const between = [...new Set(reached.map((reader) => reader.node).filter(({ type }) => BETWEEN.has(type)))];
  return node && { node, between, straight: earlierOf(node, root) === sampler };
}

// A sampler that takes up the picture further on, enlarged or decoded in between: a second pass; undefined where there is none.
export function secondPassOf(sampler, root) {
  for (const reader of downstream(sampler, ["LATENT", "IMAGE"], root, ({ node }) => isSampler(node))) {
    if (isLatent(reader) && reader.node !== sampler && keepsPart(reader.node, sampler, root)) return reader.node;
  }
  return undefined;
}

// Whether a sampler keeps a part of what an earlier one made.
function keepsPart(sampler, earlier, root) {
  const scheduler = isCustom(sampler) ? sourceOf(sampler, "sigmas", root)?.node : sampler;
  const denoise = scheduler && valueOf(scheduler, "denoise", root);
  if (denoise !== undefined) return denoise < 1;
  return sampler.type === "KSamplerAdvanced" ? valueOf(sampler, "start_at_step", root) > 0 : laterOf(earlier, root)?.node === sampler;
}

// Nodes beside the next sampler that read a latent on its way there.
export function otherReaders(sampler, { node: next, between }, root) {
  const inside = new Set([...between, next]);
  return [sampler, ...between].flatMap((node) => latentReaders(node, root)).filter(({ node }) => !inside.has(node));
}

const latentReaders = (node, root) => node.outputs.flatMap(({ type }, place) => (type === "LATENT" ? readersOf(node, place, root) : []));

// Those between two samplers that something else still reads: LTXV Crop Guides, whose conditioning the next guider has.
export function stillRead({ node: next, between }, root) {
  const kept = new Set();
  const isKept = (reader) => (between.includes(reader) ? kept.has(reader) : reader !== next);
  for (let before = -1; before !== kept.size;) {
    before = kept.size;
    for (const node of between) if (allReaders(node, root).some(isKept)) kept.add(node);
  }
  return [...kept];
}

const allReaders = (node, root) => node.outputs.flatMap((_, place) => readersOf(node, place, root).map((reader) => reader.node));
