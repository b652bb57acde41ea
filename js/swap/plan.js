// What "Search its noise" does with a sampler, or why it does nothing. Imports only what imports nothing, so Node can test it.
import { cableOf, everyNode, isLinked, labelOf } from "../panel/wiring.js";
import { decoders, textFor, vaeFor } from "./found.js";
import { drawsNoise, earlierOf, isCustom, isSampler, laterOf, nameOf, otherReaders, secondPassOf, stillRead } from "./passes.js";
import { SEARCH, custom, dropIn, enlargingOf, hires, randomNoiseOf, twoGuiders, twoKSamplers, twoModels, twoStages, wholeAdvanced } from "./setups.js";
import { agree, isOff, readersOf, sourceOf, valueOf } from "./walk.js";
import { say } from "../words.js";

const OUTPUTS = ["output", "denoised_output"]; // of the custom samplers
const [LEAST, MOST] = [1.05, 8]; // scale_by of Sampling Setup (Hires Fix)
const notPictures = (type) => ({ AUDIO: say("sound"), VOXEL: say("a solid"), MESH: say("a solid") })[type] ?? type;
const OTHER_STEPS = new Set(["dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"]); // a KSampler has other steps for them than Basic Scheduler

// The samplers among some nodes, those in subgraphs too.
export const samplersIn = (nodes) => nodes.flatMap((node) => (node.subgraph ? everyNode(node.subgraph) : [node])).filter(isSampler);

// Why a sampler cannot be searched; "" where it can.
export function refusal(sampler, root) {
  if (!drawsNoise(sampler, root)) {
    const first = earlierOf(sampler, root);
    return first ? say("it goes on from {node} and draws no noise of its own: search the noise of that one", { node: nameOf(first) }) : say("it adds no noise, so there is nothing to search");
  }
  if (isOff(sampler)) return say("it is muted or bypassed: switch it on first");
  if (sourceOf(sampler, "positive", root)?.node.type.startsWith("SVD_")) return say("Stable Video Diffusion cannot be searched");
  const { other } = decoders(sampler, root);
  return other ? say("it makes {what}, and only pictures and videos can be searched", { what: notPictures(other) }) : "";
}

// { made, outputs, removed, rewired, notes, … } for carry_out.js, or { why }.
export function planFor(sampler, root) {
  const why = refusal(sampler, root);
  if (why) return { why };
  const plan = WAYS[sampler.type](sampler, root);
  return plan.why ? plan : withSockets(sampler, plan, root);
}

const WAYS = { KSampler: fromKSampler, KSamplerAdvanced: fromAdvanced, SamplerCustom: fromCustom, SamplerCustomAdvanced: fromCustom };

// sampler: whose place, id and looks the search takes. last: whose outputs. gone: other nodes that are not needed any more.
const planned = (sampler, made, { last = sampler, gone = [], rewired = [], notes = [] } = {}) => ({
  sampler, made, last, removed: [...new Set([sampler, last, ...gone])], rewired, notes,
});

function withSockets(sampler, plan, root) {
  const vae = vaeFor(sampler, root);
  const text = textFor(sampler, sampler.type === "SamplerCustomAdvanced" ? "guider" : "positive", sampler.graph, root);
  const setup = plan.made.find(({ type }) => type === "NoiseSearch" || (type.startsWith("SamplingSetup") && !["SamplingSetupHires", "SamplingSetupSecondStage"].includes(type)));
  const notes = vae ? plan.notes : [...plan.notes, say("No decoder was found behind it: connect a VAE.")];
  return { ...plan, notes, ways: [...(vae ? [{ key: setup.key, name: "vae", way: vae }] : []), ...(text ? [{ key: SEARCH, name: "prompt", way: text }] : [])] };
}

function fromKSampler(sampler, root) {
  const later = laterOf(sampler, root);
  if (later && isSecondPass(sampler, later, root)) {
    const made = passesOf(sampler, later, root);
    if (made) return planned(sampler, made, replacing(later, sampler, root));
  }
  return planned(sampler, dropIn(sampler), { notes: leftAlone(sampler, root) });
}

const isSecondPass = (sampler, later, root) => later.node.type === "KSampler" && joined(sampler, later, root) && valueOf(later.node, "denoise", root) < 1;

// Whether two samplers can become one setup: in one graph, and nothing else reads what lies between them.
const joined = (sampler, later, root) => later.node.graph === sampler.graph && !isOff(later.node) && !otherReaders(sampler, later, root).length;

function passesOf(first, { node: second, between }, root) {
  const enlarging = enlargingOf(between, second, root);
  if (!enlarging || between.some(({ type }) => type !== "LatentUpscaleBy")) return undefined;
  const alike = ["model", "positive", "negative", "cfg", "seed"].every((name) => agree([first, name], [second, name], root));
  const scale = between.length ? valueOf(between[0], "scale_by", root) : 1;
  if (alike && scale >= LEAST && scale <= MOST) return hires(first, second, enlarging);
  const steps = valueOf(second, "sampler_name", root);
  return steps === undefined || OTHER_STEPS.has(steps) ? undefined : twoKSamplers(first, second, enlarging);
}

// What becomes of the second sampler and of what lies before it.
function replacing(later, sampler, root) {
  const kept = stillRead(later, root);
  const first = cableOf(sampler, "latent_image");
  const rewired = kept.flatMap((node) => node.inputs.filter(({ name }) => sourceOf(node, name, root)?.node === sampler).map(({ name }) => ({ node, name, cable: first })));
  return { last: later.node, gone: later.between.filter((node) => !kept.includes(node)), rewired };
}

function leftAlone(sampler, root) {
  const second = secondPassOf(sampler, root);
  return second ? [say("{node} goes on from it and stays as it is: the search judges the first pass.", { node: nameOf(second) })] : [];
}

function fromAdvanced(sampler, root) {
  const later = laterOf(sampler, root);
  const value = (name) => valueOf(sampler, name, root);
  if (value("start_at_step") !== 0) return { why: beginsLater(value("start_at_step")) };
  if (value("return_with_leftover_noise") === "disable") {
    const ends = { end: value("end_at_step") ?? "?", steps: value("steps") ?? "?" };
    return endsAtLast(sampler, root) ? planned(sampler, wholeAdvanced(sampler), { notes: leftAlone(sampler, root) }) : { why: say("it ends at step {end} of {steps}", ends) };
  }
  if (later?.node.type !== "KSamplerAdvanced" || !later.straight || !joined(sampler, later, root)) return { why: say("it leaves noise over, and no KSampler (Advanced) alone goes on from it") };
  const why = difference(sampler, later.node, root);
  return why ? { why } : planned(sampler, twoModels(sampler, later.node), { last: later.node });
}

const beginsLater = (step) => (step === undefined ? say("another node gives the step that it begins at, and a search begins at 0") : say("it begins at step {step}, and a search begins at 0", { step }));

// Why two KSamplers (Advanced) are not two halves of one schedule; "" where they are.
function difference(first, second, root) {
  const node = nameOf(second);
  const other = ["steps", "sampler_name", "scheduler"].find((name) => !agree([first, name], [second, name], root));
  if (other) return say("{node}, which goes on from it, has another {input}", { node, input: labelOf(second.inputs, other) });
  if (!agree([first, "end_at_step"], [second, "start_at_step"], root)) return say("{node}, which goes on from it, does not begin where it ends", { node });
  if (drawsNoise(second, root)) return say("{node}, which goes on from it, adds noise of its own", { node });
  const ends = valueOf(second, "return_with_leftover_noise", root) === "disable" && endsAtLast(second, root);
  return ends ? "" : say("{node}, which goes on from it, does not take all steps to the end", { node });
}

function endsAtLast(sampler, root) {
  const end = valueOf(sampler, "end_at_step", root);
  return end >= (valueOf(sampler, "steps", root) ?? Infinity) || end >= 10000 || agree([sampler, "end_at_step"], [sampler, "steps"], root);
}

function fromCustom(sampler, root) {
  const handsOn = handedOn(sampler, root);
  if (!handsOn) return { why: say("both of its outputs are used, and a search has one LATENT") };
  const later = laterOf(sampler, root);
  const made = later && isCustom(later.node) && joined(sampler, later, root) && handedOn(later.node, root) && stagesOf(sampler, handsOn, later, root);
  const gone = noisesOf(made ? [sampler, later.node] : [sampler], root);
  if (!made) return planned(sampler, custom(sampler, handsOn, root), { gone, notes: leftAlone(sampler, root) });
  const rest = replacing(later, sampler, root);
  return planned(sampler, made, { ...rest, gone: [...rest.gone, ...gone] });
}

// The output that is used; "" where both are.
function handedOn(sampler, root) {
  const used = OUTPUTS.filter((_, place) => readersOf(sampler, place, root).length);
  return used.length > 1 ? "" : used[0] ?? OUTPUTS[0];
}

function stagesOf(first, handsOn, { node: second, between, straight }, root) {
  const last = handedOn(second, root);
  if (!drawsNoise(second, root)) return straight && handsOn === OUTPUTS[0] ? twoGuiders(first, second, last, root) : undefined;
  const enlarging = enlargingOf(between, second, root);
  const known = second.type === "SamplerCustom" || randomNoiseOf(second, root);
  return enlarging && known ? twoStages([first, handsOn], [second, last], enlarging, root) : undefined;
}

// Noise and Disable Noise nodes that nothing else reads.
function noisesOf(samplers, root) {
  const nodes = samplers.filter((sampler) => isLinked(sampler, "noise")).map((sampler) => sourceOf(sampler, "noise", root)?.node);
  return nodes.filter((node) => ["RandomNoise", "DisableNoise"].includes(node?.type) && node.graph === samplers[0].graph && onlyReadBy(node, samplers, root));
}

const onlyReadBy = (node, samplers, root) => node.outputs.every((_, place) => readersOf(node, place, root).every((reader) => samplers.includes(reader.node)));
