// What the panel does with a found picture: searches around it, keeps it, hands it on.
import { app } from "../../../scripts/app.js";
import { openBook } from "../book/dialog.js";
import { ADDRESSES } from "../messages.js";
import { plan, replace } from "./ksampler.js";
import { STRENGTHS } from "./offers.js";
import { asOneStep, ask, copy, rootGraph, send, show, tell } from "./page.js";
import { save } from "./saving.js";
import { goOn, vary } from "./start.js";
import { widgetOf } from "./wiring.js";


// panel: the node's, with its search. address(id): of a candidate on the server. fill(recipe): holds it, or with "" nothing.
export function goingOn(node, panel, { address, fill }) {
  return {
    vary: (id, strength) => varyAround(node, panel, address(id), STRENGTHS[strength], fill),
    goOn: (id, type) => searchOn(node, address(id), id, type),
    save: (id) => save(address(id)),
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
  if (answer && !answer.noise) tell("warn", "It began with a picture, not with noise: there is no noise to go on from.");
  return answer?.noise;
}

async function varyAround(node, panel, address, similarity, fill) {
  const recipe = await beginning(address);
  if (!recipe) return;
  const lost = vary(node, recipe, similarity, widgetOf(node, "pictures")?.value ?? panel.search.pictures, create);
  if (lost) tell("warn", `noise was connected to ${lost}. Release brings that back.`);
  fill("");
  await app.queuePrompt(0, 1);
}

async function searchOn(node, address, id, type) {
  const recipe = await beginning(address);
  if (!recipe) return;
  const next = goOn(node, type, recipe, create);
  show(next);
  tell("info", `${next.title} begins at #${id}. Queue when you like.`);
}

function convert(node, seed) {
  const { lost } = plan(node, seed);
  show(asOneStep(() => replace(node, seed, create, rootGraph())));
  tell("success", `KSampler with seed ${seed}. Ctrl+Z brings the search back.`);
  if (lost.length) tell("warn", `A KSampler has no ${lost.join(", ")}: what was connected there is not any more.`);
}

const create = (type) => LiteGraph.createNode(type);
