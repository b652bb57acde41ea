// What can be done with one picture of a search. Imports only what imports nothing, so Node can test it.
import { fullOf, isRunning, numberOf } from "./search.js";
import { say } from "../words.js";

// How near variations stay to their picture: the cosine of their noises; of a picture that is more than its noise, the share of the steps that is taken again.
export const STRENGTHS = { subtle: { similarity: 0.95, depth: 0.3 }, strong: { similarity: 0.8, depth: 0.6 } };
const goOn = () => [["ZeroOrderSearch", say("Zero-Order Search")], ["LocalSearch", say("Local Search")], ["RefineSearch", say("Refine Search")]];

// node: { converts, starts, judged, replays, changed }: whether it can become a KSampler, begin at a noise, has a verifier, makes one recipe's picture,
// and is made from something else now than the search was.
// { hold, full: { key, label, title, act } or null, more: [{ act, label, title }, …], keep: […] }; `act` names an action of the view, with further arguments.
export function offers(search, id, node) {
  const { finished, seed } = search.candidates[id];
  const over = !isRunning(search);
  return { hold: finished && over && !node.replays, full: over && search.mine ? inFull(search, search.candidates[id], node) : null, more: over && node.starts ? like(search, node) : [], keep: keeping(finished, seed !== null, over && node.converts) };
}

const thisPicture = () => ({ key: "t", label: say("This picture"), title: say("Queues the workflow as it was when it was found, with this picture as the node's result"), act: ["again"] });

// Of a draft: the picture that it foretells. Where that is there already, from the same settings, the draft lies in one stack with it.
function inFull(search, candidate, node) {
  if (candidate.how !== "draft" || fullOf(search, candidate) && !node.changed) return null;
  return { key: "m", label: say("Make in full"), title: say("Makes a picture in full of the noise that this draft began with, and runs the rest of the workflow with it"), act: ["full"] };
}

// The few things that one click or key does: [{ key, label, title, act }].
export function quick(search, id, node) {
  if (!search.mine) return [];
  const { hold, full, more } = offers(search, id, node), pinned = search.pinned.includes(id);
  const over = search.candidates[id].finished && !isRunning(search) && search.pictures > 1;
  const use = { key: "u", label: say("Use"), title: say("Makes it the node's result, and runs the rest of the workflow with it"), act: ["use"] };
  const uses = node.changed ? [{ ...use, label: say("Use noise"), title: say("Makes a picture of its noise with the settings of now, and runs the rest of the workflow with it") }, thisPicture()] : id === search.result[0] ? [] : [use];
  return [
    ...(over ? uses : []),
    ...(full ? [full] : []),
    ...(hold && more.length ? [{ key: "v", label: "≈", title: more[0].title, act: more[0].act }] : []),
    ...(search.candidates[id].finished ? [{ key: "k", label: search.kept.includes(id) ? "♥" : "♡", title: say("Keep its noise in the seed book, with prompt and model"), act: ["keep"] }] : []),
    { key: "p", label: pinned ? "★" : "☆", title: pinned ? say("Unpin") : say("Keep in front"), act: ["pin", !pinned] },
  ];
}

function like(search, node) {
  const count = Math.max(2, search.pictures);
  return [
    { act: ["vary", "subtle"], label: say("Subtle variations"), title: say("Queues {count} pictures near this one: the composition stays, details change", { count }) },
    { act: ["vary", "strong"], label: say("Strong variations"), title: say("Queues {count} pictures like this one, with more freedom", { count }) },
    ...(node.judged ? goOn().map(([type, name]) => ({ act: ["goOn", type], label: say("Go on with {search}", { search: name }), title: below(type, name) })) : []),
  ];
}

const below = (type, search) => (type === "RefineSearch" ? say("Puts a {search} below, which begins at this picture", { search }) : say("Puts a {search} below, which begins at this noise", { search }));

function keeping(finished, plain, converts) {
  return [
    ...(finished ? [{ act: ["save"], label: say("Save as PNG"), title: say("Makes it once more in full and saves it with a workflow that makes it again") },
                    { act: ["keep"], label: say("Keep in seed book"), title: say("Remembers its noise, with prompt and model") }] : []),
    { act: ["openBook"], label: say("Open seed book…"), title: say("All noises that were kept") },
    ...(plain ? [{ act: ["copySeed"], label: say("Copy seed"), title: "" }] : []),
    finished ? { act: ["copyRecipe"], label: say("Copy recipe"), title: say("The short text that makes it again") }
      : { act: ["copyNoise"], label: say("Copy recipe of its noise"), title: say("The short text that makes a picture of the same noise; a draft itself is no result") },
    ...(plain && converts ? [{ act: ["convert"], label: say("To KSampler"), title: say("Replace this node by a stock KSampler with this seed") }] : []),
  ];
}

// What is said of a search that was made from something else than what is on the canvas.
export const CHANGED = {
  get title() { return say("Made with other settings."); },
  get text() { return say("Its noises make other pictures now. \"This picture\" takes one as it is, with the settings of then."); },
};

// What is said of a search that this page did not queue.
export const OTHERS = {
  get title() { return say("Another page's search."); },
  get text() { return say("It was queued elsewhere, with the same graph."); },
};

// What is said where queueing does not simply search, or null. begun: there is a search to be seen; replaying: a recipe is filled in;
// varying: a noise to vary is connected; chosen, held: ids or -1.
export function holding({ begun, replaying, varying, chosen, held }) {
  if (chosen >= 0) return null;
  const stays = say("Change the prompt and queue: the noise stays.");
  const again = begun ? "" : `${say("Queue to make its picture again.")} `;
  if (replaying) return { title: held >= 0 ? say("Holding #{id}.", { id: numberOf(held) }) : say("Holding a found noise."), text: again + stays };
  return varying ? { title: say("Staying near a found noise."), text: say("Every search begins there.") } : null;
}
