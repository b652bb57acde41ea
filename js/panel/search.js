// What a page knows about one search: plain data, as nodes/host/page/live.py sends it. Imports nothing, so Node can test it.

const RUNNING = new Set(["running", "paused", "finishing"]);
export const ENDINGS = { // nodes/host/engine/report.py
  pictures: "budget used", minutes: "time is up", target: "target reached", patience: "no more gain",
  finished: "nothing left to try", you: "finished by you", choice: "chosen by you",
};

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
  const soFar = `${number(used)} of ${pictures}`;
  if (status === "paused") return `Paused at ${soFar}`;
  if (status === "finishing") return used ? "Finishing with the best so far" : "Finishing as soon as there is a picture";
  if (status === "interrupted") return `Cancelled after ${soFar}`;
  if (status === "failed") return `Stopped by an error after ${soFar}`;
  if (status === "done" && pictures === 1) return "Done: 1 picture"; // a recipe's may cost less than one
  if (status === "done") return Number(number(used)) >= pictures ? `Done: ${count(pictures)}` : `Done: ${soFar}, ${ENDINGS[search.stopped] ?? "ended"}`;
  if (!used) return making ? `Making the first of ${count(pictures)}` : `Starting: ${count(pictures)}`;
  return search.seconds_left === null ? soFar : `${soFar}, ${spoken(search.seconds_left)} left`;
}

// [large, small]: how the best stands against the own seed; where something else was taken in the end (by hand, in a final), how that does.
export function headline(search) {
  const best = resultOf(search);
  if (best < 0) return ["", ""];
  if (!isJudged(search)) return [isRunning(search) ? "No judge" : "Click the one you like", "Nothing is connected to verifier: you choose."];
  const first = search.candidates[0];
  if (search.pictures === 1) return [`Score ${score(first.score)}`, ""];
  const gain = search.candidates[best].score - first.score;
  const word = search.candidates[best].score < search.candidates[bestOf(search)].score ? "Result" : "Best";
  const large = `${word} ${score(search.candidates[best].score)}`;
  const by = acceptedBy(search);
  const leads = isRunning(search) ? "leads so far" : by ? `was accepted by ${by}` : word === "Best" ? "leads" : "was taken";
  const apart = gain < 0 ? `${score(-gain)} below` : `${signed(gain)} over`;
  return [large, best === 0 ? `${nameOf(first)} ${leads}` : `${apart} ${nameOf(first)} (${score(first.score)})${by ? `, accepted by ${by}` : ""}`];
}

// The second judge whose choice the result is; "" without one, and where the artist has chosen since.
export const acceptedBy = (search) => (search.accepted && search.stopped !== "choice" ? search.accepted.judge : "");

// Whether what was chosen scores less than where the search began.
export function isWorse(search) {
  const best = resultOf(search);
  return best > 0 && isJudged(search) && search.candidates[best].score < search.candidates[0].score;
}

const OWN = { "own seed": "your seed", "own picture": "your picture", start: "the start", recipe: "the held noise" };
export const nameOf = ({ id, how }) => (id === 0 && OWN[how]) || `#${id}`;

// One line about a candidate, and its values by verifier.
export function describe(search, id) {
  const { how, seed, parents, score: total } = search.candidates[id];
  const from = parents.length ? ` of #${parents.join(", #")}` : "";
  const values = search.columns.map((name, place) => [name, score(search.candidates[id].values[place])]);
  const seen = search.accepted?.ids.indexOf(id) ?? -1;
  if (seen >= 0) values.push([`accept: ${search.accepted.judge}`, score(search.accepted.scores[seen])]);
  return { title: `#${id} ${how === "recipe" ? "held noise" : how}${from}`, seed: seed === null ? "mixed noise" : `seed ${seed}`, score: total === null ? "" : score(total),
           values: values.length > 1 || seen >= 0 ? values : [] };
}

export const score = (value) => (Math.abs(value) >= 100 ? value.toFixed(1) : value.toPrecision(4)).replace(/\.?0+$/, "");
const signed = (value) => (value < 0 ? "" : "+") + Number(value.toPrecision(3));
const number = (value) => String(Math.round(value * 10) / 10);
const count = (pictures) => (pictures === 1 ? "1 picture" : `${pictures} pictures`);

export function spoken(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, String(whole % 60).padStart(2, "0")];
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
