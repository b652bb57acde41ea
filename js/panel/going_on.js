// What the panel does with a found picture: searches around it, keeps it, hands it on.
import { app } from "../../../scripts/app.js";
import { openBook } from "../book/dialog.js";
import { ADDRESSES } from "../messages.js";
import { plan, replace } from "./ksampler.js";
import { STRENGTHS } from "./offers.js";
import { asOneStep, ask, copy, rootGraph, send, show, tell } from "./page.js";
import { queueAgain, save } from "./saving.js";
import { goOn, refine, vary } from "./start.js";
import { widgetOf } from "./wiring.js";

const NO_NOISE = "It began with a picture, not with noise: there is no noise to go on from.";
const MOST = 64; // children of Refine Search

// panel: the node's, with its search. address(id): of a candidate on the server. fill(recipe): holds it, or with "" nothing.
export function goingOn(node, panel, { address, fill }) {
  return {
    vary: (id, strength) => varyAround(node, panel, address(id), panel.search.candidates[id], STRENGTHS[strength], fill),
    goOn: (id, type) => searchOn(node, address(id), panel.search.candidates[id], type, fill),
    save: (id) => save(address(id)),
    again: (id) => queueAgain(address(id)),
    keep: (id) => keep(panel.search.search, id),
    openBook: () => openBook({ use: fill, walks: true }),
    copySeed: (id) => copy(panel.search.candidates[id].seed, "Seed copied"),
    copyRecipe: async (id) => copy((await ask(`${address(id)}/recipe`))?.recipe, "Recipe copied"),
    copyNoise: async (id) => copy(await beginning(address(id)), "Recipe of its noise copied"),
    convert: (id) => convert(node, panel.search.candidates[id].seed),
  };
}

async function keep(search, id) {
  const kept = await send(ADDRESSES.book, { search, candidate: id });
  if (kept) tell("success", kept.new ? `#${id} is in the seed book` : `#${id} was in the seed book, and is up to date now`);
}

// The recipe of the noise that a candidate began with.
async function beginning(address) {
  const answer = await ask(`${address}/recipe`);
  if (answer && !answer.noise) tell("warn", NO_NOISE);
  return answer?.noise;
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
    if (lost) tell("warn", `noise was connected to ${lost}. Release brings that back.`);
    fill("");
  }
  await app.queuePrompt(0, 1);
}

async function searchOn(node, address, candidate, type, fill) {
  const { id } = candidate, from = await origin(address, candidate);
  if (!from) return;
  if (from.walked && type === "RefineSearch") {
    const next = refineHeld(node, from.recipe, {}, fill);
    return tell("info", `${next.title} begins at the picture #${id}. Queue when you like.`);
  }
  if (!from.noise) return tell("warn", NO_NOISE);
  const next = show(goOn(node, type, from.noise, create));
  const where = from.walked ? `the noise that #${id} began with, not at its picture` : `#${id}`;
  tell("info", `${next.title} begins at ${where}. Queue when you like.`);
}

// The node holds the picture, and a Refine Search below begins at it.
function refineHeld(node, recipe, settings, fill) {
  const next = show(refine(node, settings, create));
  fill(recipe);
  return next;
}

function convert(node, seed) {
  const { lost } = plan(node, seed);
  show(asOneStep(() => replace(node, seed, create, rootGraph())));
  tell("success", `KSampler with seed ${seed}. Ctrl+Z brings the search back.`);
  if (lost.length) tell("warn", `A KSampler has no ${lost.join(", ")}: what was connected there is not any more.`);
}

const create = (type) => LiteGraph.createNode(type);
