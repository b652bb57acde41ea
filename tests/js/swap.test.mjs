// What "Search its noise" puts in the place of samplers, and what it leaves alone: js/swap/*.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { replace } from "../../js/panel/ksampler.js";
import { searchNoise } from "../../js/swap/all.js";
import { refusal } from "../../js/swap/plan.js";
import { moves } from "../../js/swap/room.js";
import { Graph, Subgraph, behind, create, put, value } from "./canvas.mjs";

// A loader, a prompt, an empty latent; `sampled` adds the samplers and gives the last one.
function workflow(graph = new Graph()) {
  const loader = put(graph, "Loader");
  const [positive, negative] = ["a cat", "blurry"].map((text) => put(graph, "CLIPTextEncode", { clip: [loader, 1] }, { text }));
  const latent = put(graph, "EmptyLatentImage");
  const conditioned = { model: [loader], positive: [positive], negative: [negative] };
  return { graph, loader, positive, negative, latent, conditioned };
}

const decoded = ({ graph, loader }, sampler, place = 0) => put(graph, "VAEDecode", { samples: [sampler, place], vae: [loader, 2] });

function plain(values = {}) {
  const made = workflow();
  const sampler = put(made.graph, "KSampler", { ...made.conditioned, latent_image: [made.latent] }, values);
  return { ...made, sampler, decoder: decoded(made, sampler) };
}

const swap = (nodes, root) => searchNoise(nodes, create, root);

test("a KSampler becomes a Noise Search with its id, values, links and looks, and the VAE of its decoder", () => {
  const { graph, sampler, decoder, loader, positive, negative, latent } = plain({ seed: 123456789012345, cfg: 4.01, sampler_name: "dpmpp_2m" });
  Object.assign(sampler, { title: "my faces", color: "#233" });
  const { id } = sampler;
  const { made: [search], refused } = swap([sampler], graph);
  assert.deepEqual([search.type, search.id, search.title, search.color, refused], ["NoiseSearch", id, "my faces", "#233", []]);
  const kept = ["seed", "control_after_generate", "cfg", "sampler_name"].map((name) => value(search, name));
  assert.deepEqual(kept, [123456789012345, "randomize", 4.01, "dpmpp_2m"]);
  const linked = { model: loader, positive, negative, latent_image: latent, vae: loader };
  for (const [name, node] of Object.entries(linked)) assert.equal(behind(search, name)[0], node, name);
  assert.equal(behind(decoder, "samples")[0], search);
  assert.equal(behind(search, "verifier"), undefined, "nothing is connected by itself");
  assert.ok(!graph.nodes.includes(sampler));
});

test("a value that another node gives stays linked, and so does a text that is written while it runs", () => {
  const { graph, sampler, positive } = plain();
  const steps = put(graph, "PrimitiveInt"), writer = put(graph, "Writer");
  steps.connect(0, sampler, sampler.inputs.findIndex(({ name }) => name === "steps"));
  writer.connect(0, positive, positive.inputs.findIndex(({ name }) => name === "text"));
  const { made: [search] } = swap([sampler], graph);
  assert.equal(behind(search, "steps")[0], steps);
  assert.equal(behind(search, "prompt")[0], writer);
});

test("a decoder of sound is not taken for that of the pictures", () => {
  const made = workflow();
  const sampler = put(made.graph, "KSampler", { ...made.conditioned, latent_image: [made.latent] });
  const other = put(made.graph, "Loader");
  put(made.graph, "VAEDecodeAudio", { samples: [sampler], vae: [other, 2] });
  decoded(made, put(made.graph, "Reroute", { "": [sampler] }));
  assert.equal(behind(swap([sampler], made.graph).made[0], "vae")[0], made.loader);
});

// Two KSamplers (Advanced) on one schedule; `values` of the second one, `early` of the first.
function pair(values = {}, early = {}) {
  const made = workflow();
  const first = put(made.graph, "KSamplerAdvanced", { ...made.conditioned, latent_image: [made.latent] }, { end_at_step: 8, return_with_leftover_noise: "enable", ...early });
  const second = put(made.graph, "KSamplerAdvanced", { ...made.conditioned, latent_image: [first] }, { add_noise: "disable", noise_seed: 3, cfg: 2, start_at_step: 8, ...values });
  return { ...made, first, second, decoder: decoded(made, second) };
}

test("two halves of one schedule become one setup of two models", () => {
  const { graph, first, second, decoder, loader } = pair();
  const { made: [search] } = swap([first], graph);
  const [setup] = behind(search, "sampling");
  assert.equal(setup.type, "SamplingSetupTwoStage");
  assert.deepEqual(["switch_step", "cfg", "cfg_low", "seed_low", "steps"].map((name) => value(setup, name)), [8, 7, 2, 3, 20]);
  assert.deepEqual(["model_high", "model_low", "vae"].map((name) => behind(setup, name)[0]), [loader, loader, loader]);
  assert.equal(behind(decoder, "samples")[0], search);
  assert.ok(!graph.nodes.includes(first) && !graph.nodes.includes(second));
});

test("halves that do not fit each other are left alone, and what differs is named", () => {
  const why = (values, early) => {
    const { graph, first } = pair(values, early);
    const { made, refused: [said] } = swap([first], graph);
    assert.equal(made.length, 0);
    return said;
  };
  assert.match(why({ steps: 25 }), /has another steps/);
  assert.match(why({ sampler_name: "heun" }), /has another sampler_name/);
  assert.match(why({ start_at_step: 9 }), /does not begin where it ends/);
  assert.match(why({ add_noise: "enable" }), /adds noise of its own/);
  assert.match(why({ end_at_step: 15 }), /does not take all steps/);
  assert.match(why({}, { start_at_step: 2 }), /begins at step 2/);
});

test("one KSampler (Advanced) that takes all steps becomes a Noise Search", () => {
  const made = workflow();
  const sampler = put(made.graph, "KSamplerAdvanced", { ...made.conditioned, latent_image: [made.latent] });
  decoded(made, sampler);
  const { made: [search] } = swap([sampler], made.graph);
  assert.deepEqual([search.type, value(search, "seed"), value(search, "denoise")], ["NoiseSearch", 5, 1]);
});

// A SamplerCustomAdvanced with parts of its own.
function guided(made, latent, noise = put(made.graph, "RandomNoise", {}, { noise_seed: 77 })) {
  const parts = { guider: put(made.graph, "CFGGuider", made.conditioned), sampler: put(made.graph, "KSamplerSelect"), sigmas: put(made.graph, "BasicScheduler", { model: [made.loader] }) };
  const wires = Object.fromEntries(Object.entries(parts).map(([name, node]) => [name, [node]]));
  return { ...parts, noise, node: put(made.graph, "SamplerCustomAdvanced", { ...wires, noise: [noise], latent_image: latent }) };
}

test("a SamplerCustomAdvanced becomes a setup and a search with the seed of its noise, which is needed no more", () => {
  const made = workflow();
  const { node, guider, noise } = guided(made, [made.latent]);
  decoded(made, node, 1);
  const { made: [search] } = swap([node], made.graph);
  const [setup] = behind(search, "sampling");
  assert.deepEqual([setup.type, value(setup, "hands_on"), value(search, "seed")], ["SamplingSetupCustom", "denoised_output", 77]);
  assert.equal(behind(setup, "guider")[0], guider);
  assert.ok(!made.graph.nodes.includes(noise));
});

test("a noise that something else reads stays, and one of another kind is handed to the search", () => {
  const made = workflow();
  const one = guided(made, [made.latent]);
  const two = guided(made, [made.latent], one.noise);
  decoded(made, one.node), decoded(made, two.node);
  swap([one.node], made.graph);
  assert.ok(made.graph.nodes.includes(one.noise));
  const foreign = workflow();
  const { node, noise } = guided(foreign, [foreign.latent], put(foreign.graph, "RandomNoise"));
  noise.type = "WarpedNoise";
  decoded(foreign, node);
  assert.equal(behind(swap([node], foreign.graph).made[0], "noise")[0], noise);
});

test("both outputs in use are too many", () => {
  const made = workflow();
  const { node } = guided(made, [made.latent]);
  decoded(made, node), decoded(made, node, 1);
  assert.match(swap([node], made.graph).refused[0], /both of its outputs/);
});

test("a SamplerCustom gets a guider of its own", () => {
  const made = workflow();
  const parts = { sampler: [put(made.graph, "KSamplerSelect")], sigmas: [put(made.graph, "BasicScheduler")] };
  const sampler = put(made.graph, "SamplerCustom", { ...made.conditioned, ...parts, latent_image: [made.latent] }, { cfg: 1.5 });
  decoded(made, sampler);
  const [guider] = behind(behind(swap([sampler], made.graph).made[0], "sampling")[0], "guider");
  assert.deepEqual([guider.type, value(guider, "cfg"), behind(guider, "positive")[0]], ["CFGGuider", 1.5, made.positive]);
});

test("a pair on split sigmas becomes a setup of two guiders", () => {
  const made = workflow();
  const first = guided(made, [made.latent]);
  const second = guided(made, [first.node], put(made.graph, "DisableNoise"));
  decoded(made, second.node);
  const [setup] = behind(swap([first.node], made.graph).made[0], "sampling");
  assert.deepEqual([setup.type, value(setup, "seed_low")], ["SamplingSetupTwoGuiders", 0]);
  assert.deepEqual(["guider_high", "guider_low", "sigmas_low"].map((name) => behind(setup, name)[0]), [first.guider, second.guider, second.sigmas]);
});

test("two stages over an upsampler become one setup; what its guider still reads gets the empty latent", () => {
  const made = workflow();
  const first = guided(made, [made.latent]);
  const crop = put(made.graph, "LTXVCropGuides", { positive: [made.positive], negative: [made.negative], latent: [first.node] });
  const model = put(made.graph, "Loader"), larger = put(made.graph, "LTXVLatentUpsampler", { samples: [crop, 2], upscale_model: [model] });
  const second = guided({ ...made, conditioned: { ...made.conditioned, positive: [crop, 0] } }, [larger]);
  decoded(made, second.node);
  const [setup] = behind(swap([first.node], made.graph).made[0], "sampling");
  assert.deepEqual([setup.type, value(setup, "seed_second"), behind(setup, "upscale_model")[0]], ["SamplingSetupSecondStage", 77, model]);
  assert.equal(behind(behind(setup, "sampling")[0], "guider")[0], first.guider);
  assert.equal(behind(crop, "latent")[0], made.latent);
  assert.ok(!made.graph.nodes.includes(larger) && made.graph.nodes.includes(crop));
});

// Two KSamplers, the second one over the enlarged latent.
function passes(values = {}, by = "LatentUpscaleBy") {
  const made = plain();
  const larger = put(made.graph, by, { samples: [made.sampler] });
  const second = put(made.graph, "KSampler", { ...made.conditioned, latent_image: [larger] }, { denoise: 0.4, ...values });
  made.graph.remove(made.decoder);
  decoded(made, second);
  return { ...made, second, larger };
}

test("a second pass with the same seed and cfg is a Hires Fix", () => {
  const { graph, sampler, larger } = passes({ steps: 12 });
  const [setup] = behind(swap([sampler], graph).made[0], "sampling");
  assert.deepEqual([setup.type, value(setup, "scale_by"), value(setup, "denoise"), value(setup, "steps")], ["SamplingSetupHires", 1.5, 0.4, 12]);
  assert.equal(behind(setup, "sampling")[0].type, "SamplingSetup");
  assert.ok(!graph.nodes.includes(larger));
});

test("a second pass of its own seed is a Second Stage in its parts", () => {
  const { graph, sampler } = passes({ seed: 9, cfg: 3 });
  const [setup] = behind(swap([sampler], graph).made[0], "sampling");
  assert.deepEqual([setup.type, value(setup, "seed_second"), value(setup, "scale_by")], ["SamplingSetupSecondStage", 9, 1.5]);
  assert.deepEqual([value(behind(setup, "guider")[0], "cfg"), value(behind(setup, "sigmas")[0], "denoise")], [3, 0.4]);
});

test("where no setup fits, the first pass alone is swapped, and the node says so", () => {
  for (const { graph, second } of [passes({}, "LatentUpscale"), passes({ seed: 9, sampler_name: "dpm_2" })]) {
    const { made, notes } = swap(graph.nodes, graph);
    assert.deepEqual(made.map(({ type }) => type), ["NoiseSearch"]);
    assert.match(notes[0], /KSampler goes on from it and stays as it is/);
    assert.ok(graph.nodes.includes(second));
  }
});

test("a first pass that something else reads as well stays a node of its own", () => {
  const { graph, sampler, loader } = passes();
  decoded({ graph, loader }, sampler);
  assert.deepEqual(swap([sampler], graph).made.map(({ type }) => type), ["NoiseSearch"]);
});

test("what makes no sense is refused by name", () => {
  const { graph, second } = pair();
  assert.match(refusal(second, graph), /goes on from KSamplerAdvanced and draws no noise of its own/);
  const none = workflow();
  const { node } = guided(none, [none.latent], put(none.graph, "DisableNoise"));
  decoded(none, node);
  assert.match(refusal(node, none.graph), /adds no noise/);
  const sound = workflow();
  const singer = put(sound.graph, "KSampler", { ...sound.conditioned, latent_image: [sound.latent] });
  put(sound.graph, "VAEDecodeAudio", { samples: [singer], vae: [sound.loader, 2] });
  assert.match(refusal(singer, sound.graph), /it makes sound/);
  const off = plain();
  off.sampler.mode = 4;
  assert.match(refusal(off.sampler, off.graph), /muted or bypassed/);
});

// A workflow whose sampler lies in a subgraph, and its decoder outside.
function nested() {
  const made = workflow();
  const inner = new Subgraph();
  const holder = made.graph.add(inner.makeHolder());
  const sampler = inner.add(create("KSampler"));
  for (const [name, [from, place = 0]] of Object.entries({ ...made.conditioned, latent_image: [made.latent] })) {
    const socket = sampler.inputs.find((input) => input.name === name);
    inner.addInput(name, socket.type).connect(socket, sampler);
    from.connect(place, holder, holder.inputs.findIndex((input) => input.name === name));
  }
  inner.addOutput("LATENT", "LATENT").connect(sampler.outputs[0], sampler);
  return { ...made, inner, holder, sampler, decoder: decoded(made, holder) };
}

test("in a subgraph the VAE comes in from outside, and its node shows what an artist needs", () => {
  const { graph, inner, holder, loader } = nested();
  const before = inner.inputs.map(({ name }) => name);
  const { made: [search] } = swap([holder], graph);
  assert.deepEqual(holder.inputs.map(({ name }) => name), [...before, "vae", "pictures", "verifier", "recipe"]);
  assert.equal(behind(holder, "vae")[0], loader);
  assert.equal(behind(search, "pictures")[0], "pictures");
  replace(search, "5", create, graph);
  assert.deepEqual(inner.inputs.map(({ name }) => name), before, "with the search it goes again");
  assert.equal(inner.nodes[0].type, "KSampler");
});

test("a seed that the subgraph's node shows stays there, as it was typed, and takes the found one on the way back", () => {
  const { graph, inner, holder, sampler } = nested();
  const seed = sampler.inputs.find(({ name }) => name === "seed");
  inner.addInput("seed", "INT").connect(seed, sampler);
  holder.widgets.find(({ name }) => name === "seed").value = 99;
  const { made: [search] } = swap([holder], graph);
  assert.deepEqual([behind(search, "seed")[0], value(holder, "seed")], ["seed", 99]);
  replace(search, "42", create, graph);
  assert.deepEqual([behind(inner.nodes[0], "seed")[0], value(holder, "seed")], ["seed", 42]);
});

test("room is made to the right and below, and nothing else moves", () => {
  const others = [[500, 0, 100, 50], [0, 0, 100, 50], [200, 300, 100, 50], [-300, 300, 100, 50]];
  assert.deepEqual(moves([200, 0, 200, 200], [400, 1000], others, 40), [[200, 0], [0, 0], [0, 800], [0, 0]]);
  assert.deepEqual(moves([200, 0, 200, 200], [100, 100], others, 40).flat(), [0, 0, 0, 0, 0, 0, 0, 0]);
});
