// The small pictures of the grid: only those in sight exist.
import { button, make, set } from "./dom.js";
import { inSight, placeOf } from "./grid.js";
import { describe, howOf, isJudged, nameOf, resultOf, score } from "./search.js";
import { countText, placeText, turnText } from "./stacks.js";
import { isWaiting } from "./waits.js";
import { say } from "../words.js";


export function drawCells(view) {
  if (!view.search) return;
  const [first, last] = inSight(view.layout, view.scroller.scrollTop - view.above, view.scroller.clientHeight);
  const wanted = new Set(view.order.slice(first, last));
  for (const [id, cell] of view.cells) {
    if (wanted.has(id) && cell.dataset.search === view.search.search) continue;
    cell.remove();
    view.cells.delete(id);
  }
  for (let index = first; index < last; index++) drawCell(view, view.order[index], index);
}

function drawCell(view, id, index) {
  const { search } = view;
  const candidate = search.candidates[id];
  let cell = view.cells.get(id);
  if (!cell) {
    cell = make("div", "ns-cell", { role: "option", id: `${search.search}-${id}-${view.cell}` });
    Object.assign(cell.dataset, { id, search: search.search });
    cell.append(picture(view, id), make("span", "ns-score"), make("span", "ns-mark"), countOf(view, id));
    view.cells.set(id, cell);
    view.space.append(cell);
  }
  const [x, y] = placeOf(view.layout, index);
  const style = `transform:translate(${x}px,${y}px);width:${view.layout.side}px;height:${view.layout.side}px`;
  if (cell.style.cssText !== style) cell.style.cssText = style;
  set(cell.children[1], candidate.score === null ? "" : score(candidate.score));
  const rank = view.marks.indexOf(id) + 1;
  set(cell.children[2], rank ? String(rank) : markOf(search, candidate));
  drawStack(view, cell, id);
  cell.classList.toggle("ns-best", id === resultOf(search) && !isWaiting(search) && (isJudged(search) || search.status === "done"));
  cell.classList.toggle("ns-chosen", id === view.chosen);
  cell.classList.toggle("ns-marked", rank > 0);
  cell.classList.toggle("ns-focused", id === view.focused);
  cell.classList.toggle("ns-draft", !candidate.finished);
  cell.setAttribute("aria-selected", String(id === view.chosen || rank > 0));
  const about = describe(search, id);
  const label = [about.title, about.seed, about.score && say("score {score}", about), placeText(search, view.stacks.get(id), id)].filter(Boolean).join(", ");
  if (cell.ariaLabel !== label) cell.ariaLabel = label;
}

function countOf(view, id) {
  const count = button("", "", () => view.turnStack(id), "ns-count");
  count.ariaKeyShortcuts = "S";
  return count;
}

// Its number, and whether it is pinned, in the seed book, or no picture in full.
function markOf(search, candidate) {
  const { id, how, finished } = candidate;
  return [search.pinned.includes(id) && "★", search.kept.includes(id) && "♥", nameOf(candidate), !finished && howOf(how)].filter(Boolean).join(" ");
}

// The count of its versions lies on the best of a stack. Open, a frame holds them together; closed, a bar ties those to it that stay in sight.
function drawStack(view, cell, id) {
  const stack = view.stacks.get(id), top = stack?.top === id, count = cell.children[3];
  cell.classList.toggle("ns-pile", top && !stack.open);
  cell.classList.toggle("ns-together", Boolean(stack?.open));
  cell.classList.toggle("ns-beside", Boolean(stack) && !top && !stack.open);
  cell.classList.toggle("ns-counted", top);
  count.hidden = !top;
  if (!top) return;
  set(count, countText(stack));
  count.title = turnText(stack);
  count.ariaExpanded = String(stack.open);
}

function picture(view, id) {
  const image = make("img", "", { alt: "", draggable: false, decoding: "async" });
  const gone = make("span", "ns-gone", { textContent: say("not kept any more") });
  const preview = view.previews.get(id); // until the picture itself is there
  if (preview) image.style.backgroundImage = `url(${preview})`;
  image.addEventListener("load", () => { image.style.backgroundImage = ""; view.previews.delete(id); });
  if (!view.search.candidates[id].picture) return gone;
  image.src = view.actions.picture(id, "small");
  image.addEventListener("error", () => image.replaceWith(gone)); // the disk has kept newer ones only
  return image;
}

// Of a video, while the pointer is on it.
export function play(view, id, on) {
  const image = view.cells.get(id)?.querySelector("img"), candidate = view.search?.candidates[id];
  if (image && candidate?.moving && candidate.picture) image.src = view.actions.picture(id, on ? "moving" : "small");
}
