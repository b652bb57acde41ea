// What the panel does with a found picture: searches around it, keeps it, hands it on.
import { app } from "../../../scripts/app.js";
import { openBook } from "../book/dialog.js";
import { ADDRESSES } from "../messages.js";
import { plan, replace } from "./ksampler.js";
import { STRENGTHS } from "./offers.js";
import { asOneStep, ask, copy, rootGraph, send, show, tell } from "./page.js";
import { queueAgain, save } from "./saving.js";
import { numberOf } from "./search.js";
import { goOn, refine, vary } from "./start.js";
import { labelOf, widgetOf } from "./wiring.js";
import { say } from "../words.js";

const MOST = 64; // children of Refine Search

// panel: the node's, with its search. address(id): of a candidate on the server. fill(recipe, { held }): holds it, or with "" nothing; whether it could.
export function goingOn(node, panel, { address, fill }) {
  return {
    vary: (id, strength) => varyAround(node, panel, address(id), panel.search.candidates[id], STRENGTHS[strength], fill),
    goOn: (id, type) => searchOn(node, address(id), panel.search.candidates[id], type, fill),
    save: (id) => save(address(id)),
    again: (id) => queueAgain(address(id)),
    full: (id) => makeInFull(id, address(id), fill),
    keep: (id) => keep(panel.search.search, id),
    openBook: () => openBook({ use: fill, walks: true }),
    copySeed: (id) => copy(panel.search.candidates[id].seed, say("Seed copied")),
    copyRecipe: async (id) => copy((await ask(`${address(id)}/recipe`))?.recipe, say("Recipe copied")),
    copyNoise: async (id) => copy(await beginning(address(id)), say("Recipe of its noise copied")),
    convert: (id) => convert(node, panel.search.candidates[id].seed),
  };
}

async function keep(search, id) {
  const kept = await send(ADDRESSES.book, { search, candidate: id });
  const shown = { id: numberOf(id) };
  if (kept) tell("success", kept.new ? say("#{id} is in the seed book", shown) : say("#{id} was in the seed book, and is up to date now", shown));
}

// The recipe of the noise that a candidate began with.
async function beginning(address) {
  const answer = await ask(`${address}/recipe`);
  if (answer && !answer.noise) tellNoNoise();
  return answer?.noise;
}

const tellNoNoise = () => tell("warn", say("It began with a picture, not with noise: there is no noise to go on from."));

// Queues the picture of the noise that a draft began with.
async function makeInFull(id, address, fill) {
  const noise = await beginning(address);
  if (noise && fill(noise, { held: id })) await app.queuePrompt(0, 1);
}

// { recipe, noise, walked }: walked where it was refined or found along the path, so that its noise alone makes another picture.
async function origin(address, { finished, seed }) {
  const answer = await ask(`${address}/recipe`);
  return answer && { ...answer, walked: finished && seed === null && answer.noise !== answer.recipe };
}

async function varyAround(node, panel, address, candidate, { similarity, depth }, fill) {
  const from = await origin(address, candidate);
  if (!from) return;
  const count = widgetOf(node, "pictures")?.value ?? panel.search.pictures;
  if (from.walked) refineHeld(node, from.recipe, { depth, count: Math.min(count, MOST) }, fill);
  else {
    const lost = vary(node, from.recipe, similarity, count, create);
    if (lost) tell("warn", say("noise was connected to {node}. Release brings that back.", { node: lost }));
    fill("");
  }
  await app.queuePrompt(0, 1);
}

async function searchOn(node, address, candidate, type, fill) {
  const id = numberOf(candidate.id), from = await origin(address, candidate);
  if (!from) return;
  if (from.walked && type === "RefineSearch") {
    const next = refineHeld(node, from.recipe, {}, fill);
    return tell("info", say("{node} begins at the picture #{id}. Queue when you like.", { node: next.title, id }));
  }
  if (!from.noise) return tellNoNoise();
  const next = show(goOn(node, type, from.noise, create));
  const names = { node: next.title, id };
  tell("info", from.walked ? say("{node} begins at the noise that #{id} began with, not at its picture. Queue when you like.", names) : say("{node} begins at #{id}. Queue when you like.", names));
}

// The node holds the picture, and a Refine Search below begins at it.
function refineHeld(node, recipe, settings, fill) {
  const next = show(refine(node, settings, create));
  fill(recipe);
  return next;
}

function convert(node, seed) {
  const { lost } = plan(node, seed), { outputs } = node;
  show(asOneStep(() => replace(node, seed, create, rootGraph())));
  tell("success", say("KSampler with seed {seed}. Ctrl+Z brings the search back.", { seed }));
  if (lost.length) tell("warn", say("A KSampler has no {outputs}: what was connected there is not any more.", { outputs: lost.map((name) => labelOf(outputs, name)).join(", ") }));
}

const create = (type) => LiteGraph.createNode(type);
