// Puts searches in the places of samplers, one after the other. Imports only what imports nothing, so Node can test it.
import { carryOut } from "./carry_out.js";
import { nameOf, secondPassOf } from "./passes.js";
import { planFor, samplersIn } from "./plan.js";
import { SEARCH } from "./setups.js";
import { isOff } from "./walk.js";
import { say } from "../words.js";

const SHOWN = ["pictures", "verifier", "recipe"]; // what an artist needs of a search outside of its subgraph
const LATENT = [SEARCH, 0];

// For the samplers among some nodes, and in subgraphs there: { made: the searches, refused: [sentence, …], notes: [sentence, …] }.
export function searchNoise(nodes, create, root) {
  const [made, refused, notes] = [[], [], []];
  for (const sampler of firstOnes(new Set(samplersIn(nodes)), root)) {
    if (!sampler.graph) continue; // it became a part of another one's setup
    const plan = planFor(sampler, root);
    if (plan.why) refused.push(say("{node} stays as it is: {why}.", { node: nameOf(sampler), why: plan.why }));
    else {
      notes.push(...plan.notes);
      made.push(carryOut(plan, create, root, { main: SEARCH, outputs: [LATENT, LATENT], shown: SHOWN }));
    }
  }
  return { made, refused, notes };
}

// Those that are no second pass of another one.
function firstOnes(samplers, root) {
  const second = new Set([...samplers].filter((sampler) => !isOff(sampler)).map((sampler) => secondPassOf(sampler, root)));
  return [...samplers].filter((sampler) => !second.has(sampler));
}
