// What is carried over to a stock KSampler: js/panel/ksampler.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { plan } from "../../js/panel/ksampler.js";

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
