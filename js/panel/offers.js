// What can be done with one picture of a search. Imports only what imports nothing, so Node can test it.
import { isRunning } from "./search.js";

// How near variations stay to their picture: the cosine of their noises; of a picture that is more than its noise, the share of the steps that is taken again.
export const STRENGTHS = { subtle: { similarity: 0.95, depth: 0.3 }, strong: { similarity: 0.8, depth: 0.6 } };
const STAYS = "Change the prompt and queue: the noise stays.";
const GO_ON = [["ZeroOrderSearch", "Zero-Order Search"], ["LocalSearch", "Local Search"], ["RefineSearch", "Refine Search"]];

// node: { converts, starts, judged, replays, changed }: whether it can become a KSampler, begin at a noise, has a verifier, makes one recipe's picture,
// and is made from something else now than the search was.
// { hold, more: [{ act, label, title }, …], keep: […] }; `act` names an action of the view, with further arguments.
export function offers(search, id, node) {
  const { finished, seed } = search.candidates[id];
  const over = !isRunning(search);
  return { hold: finished && over && !node.replays, more: over && node.starts ? like(search, node) : [], keep: keeping(finished, seed !== null, over && node.converts) };
}

const PICTURE = { key: "t", label: "This picture", title: "Queues the workflow as it was when it was found, with this picture as the node's result", act: ["again"] };

// The few things that one click or key does: [{ key, label, title, act }].
export function quick(search, id, node) {
  if (!search.mine) return [];
  const { hold, more } = offers(search, id, node), pinned = search.pinned.includes(id);
  const over = search.candidates[id].finished && !isRunning(search) && search.pictures > 1;
  const use = { key: "u", label: "Use", title: "Makes it the node's result, and runs the rest of the workflow with it", act: ["use"] };
  const uses = node.changed ? [{ ...use, label: "Use noise", title: "Makes a picture of its noise with the settings of now, and runs the rest of the workflow with it" }, PICTURE] : id === search.result[0] ? [] : [use];
  return [
    ...(over ? uses : []),
    ...(hold && more.length ? [{ key: "v", label: "≈", title: more[0].title, act: more[0].act }] : []),
    ...(search.candidates[id].finished ? [{ key: "k", label: "♡", title: "Keep its noise in the seed book, with prompt and model", act: ["keep"] }] : []),
    { key: "p", label: pinned ? "★" : "☆", title: pinned ? "Unpin" : "Keep in front", act: ["pin", !pinned] },
  ];
}

function like(search, node) {
  const count = search.pictures > 1 ? `${search.pictures} pictures` : "pictures";
  return [
    { act: ["vary", "subtle"], label: "Subtle variations", title: `Queues ${count} near this one: the composition stays, details change` },
    { act: ["vary", "strong"], label: "Strong variations", title: `Queues ${count} like this one, with more freedom` },
    ...(node.judged ? GO_ON.map(([type, name]) => ({ act: ["goOn", type], label: `Go on with ${name}`, title: `Puts a ${name} below, which begins at this ${type === "RefineSearch" ? "picture" : "noise"}` })) : []),
  ];
}

function keeping(finished, plain, converts) {
  return [
    ...(finished ? [{ act: ["save"], label: "Save as PNG", title: "Makes it once more in full and saves it with a workflow that makes it again" },
                    { act: ["keep"], label: "Keep in seed book", title: "Remembers its noise, with prompt and model" }] : []),
    { act: ["openBook"], label: "Open seed book…", title: "All noises that were kept" },
    ...(plain ? [{ act: ["copySeed"], label: "Copy seed", title: "" }] : []),
    finished ? { act: ["copyRecipe"], label: "Copy recipe", title: "The short text that makes it again" }
      : { act: ["copyNoise"], label: "Copy recipe of its noise", title: "The short text that makes a picture of the same noise; a draft itself is no result" },
    ...(plain && converts ? [{ act: ["convert"], label: "To KSampler", title: "Replace this node by a stock KSampler with this seed" }] : []),
  ];
}

// What is said of a search that was made from something else than what is on the canvas.
export const CHANGED = { title: "Made with other settings. ", text: "Its noises make other pictures now. \"This picture\" takes one as it is, with the settings of then." };

// What is said of a search that this page did not queue.
export const OTHERS = { title: "Another page's search. ", text: "It was queued elsewhere, with the same graph." };

// What is said where queueing does not simply search, or null. begun: there is a search to be seen; replaying: a recipe is filled in;
// varying: a noise to vary is connected; chosen, held: ids or -1.
export function holding({ begun, replaying, varying, chosen, held }) {
  if (chosen >= 0) return null;
  if (replaying) return { title: held >= 0 ? `Holding #${held}. ` : "Holding a found noise. ", text: begun ? STAYS : `Queue to make its picture again. ${STAYS}` };
  return varying ? { title: "Staying near a found noise. ", text: "Every search begins there." } : null;
}
