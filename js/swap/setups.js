// What takes the place of samplers: nodes with their values and what is linked to them. Imports only what imports nothing, so Node can test it.
import { cableOf, widgetOf } from "../panel/wiring.js";
import { sourceOf, valueOf } from "./walk.js";

export const SEARCH = "search"; // the key of the node that searches
const CONTROL = "control_after_generate";
const SEED = ["seed", CONTROL];
const NOISE_SEED = [["noise_seed", "seed"], CONTROL];
const SCHEDULE = ["steps", "sampler_name", "scheduler"];
const MODEL = ["model", "positive", "negative", "latent_image", "cfg", ...SCHEDULE];

// A node to be made. given: [node, names] of what it takes over, a name or [from, to] each; more: links to other nodes that are made, and values.
const part = (key, type, given, { wires = {}, values = {} } = {}) => {
  const made = { key, type, values: {}, wires: {} };
  for (const [node, names] of given) for (const name of names) take(made, node, ...[name].flat());
  return { ...made, values: { ...made.values, ...values }, wires: { ...made.wires, ...wires } };
};

function take(made, node, from, to = from) {
  const cable = cableOf(node, from), widget = widgetOf(node, from);
  if (widget) made.values[to] = widget.value;
  if (cable) made.wires[to] = cable;
}

const from = (key) => ({ made: key, slot: 0 });

const search = (setup, given, more = {}) => part(SEARCH, "RandomSearch", given, { ...more, wires: { ...more.wires, sampling: from(setup) } });

export const dropIn = (sampler) => [part(SEARCH, "NoiseSearch", [[sampler, [...SEED, ...MODEL, "denoise"]]])];

// A KSampler (Advanced) that takes all of its steps.
export const wholeAdvanced = (sampler) => [part(SEARCH, "NoiseSearch", [[sampler, [...NOISE_SEED, ...MODEL]]], { values: { denoise: 1 } })];

export function twoModels(first, second) {
  const low = ["positive", "negative", "cfg"].map((name) => [name, `${name}_low`]);
  const high = [["model", "model_high"], ...MODEL.slice(1), ["end_at_step", "switch_step"]];
  return [
    part("setup", "SamplingSetupTwoStage", [[first, high], [second, [["model", "model_low"], ...low, ["noise_seed", "seed_low"]]]]),
    search("setup", [[first, NOISE_SEED]]),
  ];
}

export function custom(sampler, handsOn, root) {
  return [...customSetup(sampler, handsOn, "setup"), search("setup", ...noiseOf(sampler, root))];
}

export function twoGuiders(first, second, handsOn, root) {
  const [high, low] = [guiderOf(first, "guider"), guiderOf(second, "second guider")];
  const seed = second.type === "SamplerCustom" ? [["noise_seed", "seed_low"]] : [];
  const setup = part("setup", "SamplingSetupTwoGuiders", [
    [first, ["sampler", "latent_image", ["sigmas", "sigmas_high"]]],
    [second, [["sampler", "sampler_low"], ["sigmas", "sigmas_low"], ...seed]],
  ], { wires: { guider_high: high.wire, guider_low: low.wire }, values: { hands_on: handsOn, ...(seed.length ? {} : { seed_low: 0 }) } });
  return [...high.made, ...low.made, setup, search("setup", ...noiseOf(first, root))];
}

// first: as custom's. enlarging: what lies between, as `enlargingOf` found it.
export function twoStages([first, firstHandsOn], [second, secondHandsOn], enlarging, root) {
  const guider = guiderOf(second, "second guider");
  const seed = second.type === "SamplerCustom" ? [second, [["noise_seed", "seed_second"]]] : seedOfNoise(second, root);
  const stage = part("setup", "SamplingSetupSecondStage", [[second, ["sampler", "sigmas"]], ...(seed ? [seed] : []), ...enlarging], {
    wires: { guider: guider.wire, sampling: from("first setup") }, values: { hands_on: secondHandsOn },
  });
  return [...customSetup(first, firstHandsOn, "first setup"), ...guider.made, stage, search("setup", ...noiseOf(first, root))];
}

// Two KSamplers on one model, prompt, cfg and seed: the second pass of the setup is the same.
export function hires(first, second, enlarging) {
  const setup = part("first setup", "SamplingSetup", [[first, [...MODEL, "denoise"]]]);
  const pass = part("setup", "SamplingSetupHires", [[second, [...SCHEDULE, "denoise"]], ...enlarging], { wires: { sampling: from("first setup") } });
  return [setup, pass, search("setup", [[first, SEED]])];
}

// Two KSamplers that differ: the second one in its parts.
export function twoKSamplers(first, second, enlarging) {
  const parts = [
    part("second guider", "CFGGuider", [[second, ["model", "positive", "negative", "cfg"]]]),
    part("second sampler", "KSamplerSelect", [[second, ["sampler_name"]]]),
    part("second sigmas", "BasicScheduler", [[second, ["model", "scheduler", "steps", "denoise"]]]),
  ];
  const wires = { sampling: from("first setup"), guider: from("second guider"), sampler: from("second sampler"), sigmas: from("second sigmas") };
  const stage = part("setup", "SamplingSetupSecondStage", [[second, [["seed", "seed_second"]]], ...enlarging], { wires });
  return [part("first setup", "SamplingSetup", [[first, [...MODEL, "denoise"]]]), ...parts, stage, search("setup", [[first, SEED]])];
}

function customSetup(sampler, handsOn, key) {
  const guider = guiderOf(sampler, "guider");
  return [...guider.made, part(key, "SamplingSetupCustom", [[sampler, ["sampler", "sigmas", "latent_image"]]], { wires: { guider: guider.wire }, values: { hands_on: handsOn } })];
}

// The guider of a custom sampler; of the plain one, a node that makes it.
function guiderOf(sampler, key) {
  if (sampler.type === "SamplerCustomAdvanced") return { made: [], wire: cableOf(sampler, "guider") };
  return { made: [part(key, "CFGGuider", [[sampler, ["model", "positive", "negative", "cfg"]]])], wire: from(key) };
}

// Where a custom sampler's noise comes from, as the search takes it: its seed, or the noise itself.
function noiseOf(sampler, root) {
  if (sampler.type === "SamplerCustom") return [[[sampler, NOISE_SEED]]];
  const seed = seedOfNoise(sampler, root, "seed");
  return seed ? [[seed]] : [[[sampler, ["noise"]]]];
}

// The seed of its Random Noise, if that lies in the same graph.
export function randomNoiseOf(sampler, root) {
  const source = sourceOf(sampler, "noise", root)?.node;
  return source?.type === "RandomNoise" && source.graph === sampler.graph ? source : undefined;
}

function seedOfNoise(sampler, root, name = "seed_second") {
  const noise = randomNoiseOf(sampler, root);
  return noise && [noise, [["noise_seed", name], ...(name === "seed" ? [CONTROL] : [])]];
}

// What enlarges a latent before the second sampler, as [node, names] of what a second stage takes over; undefined where it cannot.
export function enlargingOf(between, second, root) {
  const find = (type) => between.filter((node) => node.type === type);
  const [upsamplers, scalers, frames] = ["LTXVLatentUpsampler", "LatentUpscaleBy", "LTXVImgToVideoInplace"].map(find);
  const used = frames.filter((node) => valueOf(node, "bypass", root) !== true && comesAfter(node, upsamplers, root));
  if (upsamplers.length + scalers.length > 1 || used.length > 1) return undefined;
  return [
    ...upsamplers.map((node) => [node, ["upscale_model"]]),
    ...scalers.map((node) => [node, ["scale_by", "upscale_method"]]),
    ...used.map((node) => [node, [["image", "first_frame"], "strength"]]),
  ];
}

// Whether a picture is put into what was enlarged, not into what is enlarged yet.
function comesAfter(node, upsamplers, root) {
  for (let at = node; at; at = sourceOf(at, "latent", root)?.node) if (upsamplers.includes(sourceOf(at, "latent", root)?.node)) return true;
  return !upsamplers.length;
}
