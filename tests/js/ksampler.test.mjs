// What is carried over to a stock KSampler: js/panel/ksampler.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { plan, replace } from "../../js/panel/ksampler.js";
import { Graph, create, put } from "./canvas.mjs";

const WIDGETS = { seed: 42, steps: 25, cfg: 7, sampler_name: "dpmpp_2m", scheduler: "karras", denoise: 1, pictures: 8, recipe: "" };
const node = (inputs, outputs) => ({ widgets: Object.entries(WIDGETS).map(([name, value]) => ({ name, value })),
                                     inputs: Object.entries(inputs).map(([name, link]) => ({ name, link })),
                                     outputs: Object.entries(outputs).map(([name, links]) => ({ name, links })) });

test("the KSampler gets the found seed, which stays, and the node's own settings", () => {
  assert.deepEqual(plan(node({}, {}), "477226935498228").widgets,
                   { seed: 477226935498228, control_after_generate: "fixed", steps: 25, cfg: 7, sampler_name: "dpmpp_2m", scheduler: "karras", denoise: 1 });
});

test("what a KSampler has no socket for is let go, and the seed is no longer connected", () => {
  const connected = node({ model: 1, vae: 2, verifier: 3, seed: 4, steps: 5, noise: null }, {});
  assert.deepEqual(plan(connected, "1").inputs, ["model", "steps"]);
});

test("a decoder is added only where the picture was used, and lost outputs are named", () => {
  assert.equal(plan(node({}, { LATENT: [1], IMAGE: null }), "1").decode, false);
  const used = plan(node({}, { LATENT: [1], IMAGE: [2], seed: [3], trace: [] }), "1");
  assert.equal(used.decode, true);
  assert.deepEqual(used.lost, ["seed"]);
});

// Replaces a node of that look, whose picture is used; the new KSampler and the decoder of its picture.
function replaced(look) {
  const graph = new Graph();
  const loader = put(graph, "Loader"), search = put(graph, "NoiseSearch", { model: [loader], vae: [loader, 2] });
  put(graph, "SaveImage", { images: [search, 1] });
  Object.assign(search, look);
  replace(search, "7", create, graph);
  return ["KSampler", "VAEDecode"].map((type) => graph.nodes.find((node) => node.type === type));
}

test("a search that was bypassed, named and coloured becomes a KSampler that is", () => {
  const look = { mode: 4, color: "#233", bgcolor: "#355", title: "my faces" };
  const [sampler, decoder] = replaced(look);
  const { mode, color, bgcolor, title } = sampler;
  assert.deepEqual({ mode, color, bgcolor, title }, look);
  assert.deepEqual([decoder.mode, decoder.color, decoder.title], [4, "#233", "VAEDecode"], "its picture is not made either");
});

test("a search with the title of its kind becomes a KSampler with the title of its own", () => {
  const [sampler] = replaced({});
  assert.deepEqual([sampler.title, sampler.mode, sampler.color], ["KSampler", 0, undefined]);
});
