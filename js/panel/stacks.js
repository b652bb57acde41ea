// Stacks: the versions of one picture, all that goes back to the same first noise, as one tile with the best of them on top. A draft or a preview is no
// version of what it has become: it is shown where nothing in full is there. Imports only what imports nothing, so Node can test it.
import { isJudged, nameOf, ordered, resultOf } from "./search.js";
import { say, sayCount } from "../words.js";

// Whether there are versions to stack. Where nothing judges there is no best one to lie on top; and where all goes back to one noise, a stack would hide
// the whole gallery.
export function hasStacks(search) {
  const { candidates } = search, lineages = new Set(candidates.map(({ lineage }) => lineage)).size;
  return isJudged(search) && lineages > 1 && lineages < candidates.length;
}

// In the order of time every picture has its own place.
export const isStacked = (search, { by, apart }) => by === "best" && !apart && hasStacks(search);

// What stays in sight where its stack is closed: what is chosen, held, marked, looked at, the result, and what is in the seed book.
export const staying = ({ search, chosen, heldId, marks, focused }) => new Set([chosen, heldId, ...marks, focused, resultOf(search), ...search.kept]);

// { order: the ids of the tiles, stacks: of each tile that belongs to a stack, { lineage, top, count, open } }. A stack lies where its best version would.
// What is pinned lies in front of everything, in no stack. opened: the lineages whose stacks are open; stay: ids that no closed stack hides.
export function arranged(search, { by, apart, opened, stay }) {
  const all = ordered(search, by), stacks = new Map();
  if (!isStacked(search, { by, apart })) return { order: all, stacks };
  const front = all.filter((id) => search.pinned.includes(id));
  const order = lineagesOf(search, all.slice(front.length)).flatMap(([lineage, ids]) => {
    const [top] = ids, { finished } = search.candidates[top];
    const versions = ids.filter((id) => search.candidates[id].finished === finished); // in full, or all of them
    const stack = { lineage, top, count: versions.length, open: opened.has(lineage) };
    const shown = ids.filter((id) => id === top || stay.has(id) || stack.open && versions.includes(id));
    if (stack.count > 1) for (const id of shown) stacks.set(id, stack);
    return shown;
  });
  return { order: [...front, ...order], stacks };
}

// [[lineage, its ids], …], in the order of the first of each.
function lineagesOf({ candidates }, ids) {
  const found = new Map();
  for (const id of ids) {
    const { lineage } = candidates[id];
    if (found.has(lineage)) found.get(lineage).push(id);
    else found.set(lineage, [id]);
  }
  return [...found];
}

export const countText = ({ count }) => sayCount(count, "1 version", "{count} versions");

// What a tile is in its stack, for those who hear it and for the line below; "" of one that belongs to none.
export function placeText(search, stack, id) {
  if (!stack) return "";
  return id === stack.top ? sayCount(stack.count, "best of 1 version", "best of {count} versions") : say("version of {name}", { name: nameOf(search.candidates[stack.top]) });
}

export const turnText = ({ open }) => (open ? say("Put its versions back into one tile (S)") : say("Show its versions side by side (S)"));

// What the button says that puts all apart, and together again.
export function apartText({ by, apart }) {
  if (by !== "best") return say("Newest first, every picture is a tile of its own");
  return apart ? say("Stack the versions of one picture into one tile") : say("Take the stacks apart: every version and every draft is a tile of its own");
}
