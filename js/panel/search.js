// What a page knows about one search: plain data, as nodes/host/page/live.py sends it. Imports only what imports nothing, so Node can test it.
import { say, sayCount } from "../words.js";

const RUNNING = new Set(["running", "paused", "finishing", "waiting"]); // waiting: for the artist to pick

const endingOf = (stopped) => ({ // nodes/host/engine/report.py
  pictures: say("budget used"), minutes: say("time is up"), target: say("target reached"), patience: say("no more gain"),
  finished: say("nothing left to try"), you: say("finished by you"), choice: say("chosen by you"),
})[stopped] ?? say("ended");

export const isRunning = (search) => RUNNING.has(search?.status);
export const isJudged = (search) => search.columns.length > 0;

// The search after an event, or null where the page missed something and has to ask for all of it.
export function merge(search, update) {
  if ("columns" in update) return { ...update, candidates: [...update.candidates] }; // a whole one
  if (!search || search.search !== update.search) return null;
  if (update.version <= search.version) return search; // older than what was asked for
  if (update.version !== search.version + 1) return null;
  const { candidates = [], scores, gone = [], ...changed } = update;
  search.candidates.push(...candidates);
  scores?.forEach((score, id) => { search.candidates[id].score = score; });
  for (const id of gone) search.candidates[id].picture = false;
  Object.assign(search, changed);
  if (candidates.length || !isRunning(search)) search.tiles = null; // that round is over
  return search;
}

// The id of the best finished picture, the earlier one where scores are equal; the own seed's where nothing judges; -1 where there is none.
export function bestOf(search) {
  let best = -1;
  for (const { id, score, finished } of search.candidates) {
    if (finished && (best < 0 || score > search.candidates[best].score)) best = id;
  }
  return best;
}

// What the node passes on, or would if it ended now.
export const resultOf = (search) => (search.result.length ? search.result[0] : bestOf(search));

// The ids in the order of the grid: pinned ones first, then the best or the newest first. Drafts come after pictures.
export function ordered(search, by) {
  const pinned = new Set(search.pinned);
  const { candidates } = search;
  const rest = candidates.map(({ id }) => id).filter((id) => !pinned.has(id));
  if (by === "newest") rest.reverse();
  else if (isJudged(search)) rest.sort((a, b) => candidates[b].finished - candidates[a].finished || candidates[b].score - candidates[a].score || a - b);
  return [...search.pinned.filter((id) => id < candidates.length), ...rest];
}

export function progressOf(search) {
  return search.status === "done" ? 1 : Math.min(1, (search.used + search.making) / search.pictures);
}

export function statusText(search) {
  const { status, used, pictures, making } = search;
  const soFar = { used: number(used), pictures };
  if (status === "paused") return say("Paused at {used} of {pictures}", soFar);
  if (status === "finishing") return used ? say("Finishing with the best so far") : say("Finishing as soon as there is a picture");
  if (status === "waiting") return say("Waiting for your pick");
  if (status === "interrupted") return say("Cancelled after {used} of {pictures}", soFar);
  if (status === "failed") return say("Stopped by an error after {used} of {pictures}", soFar);
  if (status === "done" && (pictures === 1 || Number(soFar.used) >= pictures)) return sayCount(pictures, "Done: 1 picture", "Done: {count} pictures"); // a recipe's may cost less than one
  if (status === "done") return say("Done: {used} of {pictures}, {ending}", { ...soFar, ending: endingOf(search.stopped) });
  if (!used && making) return sayCount(pictures, "Making the first of 1 picture", "Making the first of {count} pictures");
  if (!used) return sayCount(pictures, "Starting: 1 picture", "Starting: {count} pictures");
  if (search.seconds_left === null) return say("{used} of {pictures}", soFar);
  return say("{used} of {pictures}, {time} left", { ...soFar, time: spoken(search.seconds_left) });
}

// How many there are, beside a status that counts full pictures' worth of computing.
export function triedText({ candidates, used }) {
  const count = candidates.length;
  return count > Number(number(used)) ? say("{count} tried, some only in part", { count }) : say("{count} tried", { count });
}

// [large, small]: how the best stands against the own seed; where something else was taken in the end (by hand, in a final), how that does.
export function headline(search) {
  const best = resultOf(search);
  if (best < 0) return ["", ""];
  if (!isJudged(search) && byHand(search)) return [say("You picked {pictures}", { pictures: names(search.result) }), ""];
  if (!isJudged(search)) return [isRunning(search) && search.status !== "waiting" ? say("No judge") : say("Click the one you like"), say("Nothing is connected to verifier: you choose.")];
  const first = search.candidates[0];
  if (search.pictures === 1) return [say("Score {score}", { score: score(first.score) }), ""];
  const taken = search.candidates[best].score < search.candidates[bestOf(search)].score; // not the best one
  const own = { score: score(search.candidates[best].score) }, judge = acceptedBy(search);
  const large = taken ? say("Result {score}", own) : say("Best {score}", own);
  if (best === 0) return [large, byHand(search) ? say("{name} was picked by you", { name: nameOf(first) }) : firstLeads(first, isRunning(search), taken, judge)];
  const small = apart(search.candidates[best].score - first.score, first);
  if (byHand(search)) return [large, say("{gain}, picked by you", { gain: small })];
  return [large, judge ? say("{gain}, accepted by {judge}", { gain: small, judge }) : small];
}

function firstLeads(first, running, taken, judge) {
  const name = nameOf(first);
  if (running) return say("{name} leads so far", { name });
  if (judge) return say("{name} was accepted by {judge}", { name, judge });
  return taken ? say("{name} was taken", { name }) : say("{name} leads", { name });
}

function apart(gain, first) {
  const from = { name: nameOf(first), score: score(first.score) };
  return gain < 0 ? say("{gain} below {name} ({score})", { gain: score(-gain), ...from }) : say("{gain} over {name} ({score})", { gain: signed(gain), ...from });
}

const byHand = ({ status, stopped }) => status === "done" && stopped === "choice";

// The second judge whose choice the result is; "" without one, and where the artist has chosen since.
export const acceptedBy = (search) => (search.accepted && search.stopped !== "choice" ? search.accepted.judge : "");

// Whether what was chosen scores less than where the search began.
export function isWorse(search) {
  const best = resultOf(search);
  return best > 0 && isJudged(search) && search.candidates[best].score < search.candidates[0].score;
}

const ownName = (how) => ({ "own seed": say("your seed"), "own picture": say("your picture"), start: say("the start"), recipe: say("the held noise") })[how];

// What is shown of an id, which counts from 0 as everything between page and server does.
export const numberOf = (id) => id + 1;
export const names = (ids) => ids.map((id) => `#${numberOf(id)}`).join(", ");
export const nameOf = ({ id, how }) => (id === 0 && ownName(how)) || `#${numberOf(id)}`;

// How a candidate came about: search/run.py.
export const howOf = (how) => ({
  "own seed": say("own seed"), "own picture": say("own picture"), start: say("start"), random: say("random"), neighbor: say("neighbor"), combination: say("combination"),
  draft: say("draft"), preview: say("preview"), refined: say("refined"), path: say("path"), recipe: say("held noise"),
})[how] ?? how;

export const seedText = (seed) => (seed === null ? say("mixed noise, no plain seed") : say("seed {seed}", { seed }));

// What a candidate began with, where it is more than a noise: a draft, or what was refined or found along the path.
function beginningText({ candidates }, { seed, began, lineage }) {
  if (seed === null && began !== null) return say("began with seed {seed}", { seed: began });
  return candidates[lineage]?.how === "own picture" ? say("began with your picture") : seedText(seed);
}

// The finished picture of the very noise that a draft began with; undefined where there is none.
export const fullOf = (search, { began }) => (began === null ? undefined : search.candidates.find(({ finished, seed }) => finished && seed === began));

// One line about a candidate, and its values by verifier.
export function describe(search, id) {
  const { how, parents, score: total } = search.candidates[id];
  const made = { id: numberOf(id), how: howOf(how), parents: names(parents) };
  const values = search.columns.map((name, place) => [name, score(search.candidates[id].values[place])]);
  const seen = search.accepted?.ids.indexOf(id) ?? -1;
  if (seen >= 0) values.push([say("accept: {judge}", { judge: search.accepted.judge }), score(search.accepted.scores[seen])]);
  return { title: parents.length ? say("#{id} {how} of {parents}", made) : say("#{id} {how}", made), seed: beginningText(search, search.candidates[id]), score: total === null ? "" : score(total),
           values: values.length > 1 || seen >= 0 ? values : [] };
}

export const score = (value) => (Math.abs(value) >= 100 ? value.toFixed(1) : value.toPrecision(4)).replace(/\.?0+$/, "");
const signed = (value) => (value < 0 ? "" : "+") + Number(value.toPrecision(3));
const number = (value) => String(Math.round(value * 10) / 10);

export function spoken(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, String(whole % 60).padStart(2, "0")];
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
