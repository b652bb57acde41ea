// The panel of one search as elements of the page. Knows nothing of the host: what it does goes through `actions`.
import { buildAsks, drawAsks, tickAsks } from "./asks.js";
import { drawCells, play } from "./cells.js";
import { createChart } from "./chart.js";
import { buildCompare, drawCompare } from "./compare.js";
import { button, make, once, option, set } from "./dom.js";
import { drawFoot } from "./foot.js";
import { layout, moved, scrolledTo } from "./grid.js";
import { drawDoing, drawMaking } from "./making.js";
import { offersOfMore } from "./more.js";
import { CHANGED, OTHERS, holding } from "./offers.js";
import { drawQuick, pressedQuick } from "./quick.js";
import { buildProblem, drawProblem } from "./problem.js";
import { bestOf, headline, isJudged, isRunning, isWorse, numberOf, progressOf, statusText } from "./search.js";
import { apartText, arranged, hasStacks, isStacked, staying } from "./stacks.js";
import { idleText, waitingText } from "./states.js";
import { tilesOf } from "./tiles.js";
import { isWaiting } from "./waits.js";
import { say } from "../words.js";

const GAP = 4;
const NODE = { converts: false, starts: false, judged: false, replays: false, changed: false };

// actions: picture(id, size), stack(lineage), apart(), turn(by), leaf(by), more(act), take(), steer(action), pin(id, on), choose(id), unchoose(), hold(id), release(), answer(id), sendMarks(), leave(), queue(),
// enlarge() or close(), openBook(), copyText(text), and what offers.js names.
export function createView(actions, { cell = 72, dialog = false } = {}) {
  const view = { actions, cell, node: NODE, search: null, chosen: -1, heldId: -1, marks: [], focused: -1, hovered: -1, by: "best", apart: false, opened: new Set(), order: [], stacks: new Map(), cells: new Map(), previews: new Map(), above: 0 };
  build(view, dialog);
  return { root: view.root, show: (search, more) => show(view, search, more), tick: () => tickAsks(view), grid: view.scroller };
}

function build(view, dialog) {
  const { actions } = view;
  view.status = make("span", "ns-status", { ariaLive: "polite" });
  view.finish = button(say("Finish now"), say("Take the best so far as the result"), () => actions.steer("finish"));
  view.pause = button(say("Pause"), "", () => actions.steer(view.search.status === "paused" ? "continue" : "pause"));
  view.queue = button("", say("Make the chosen picture the node's result, and run the rest of the workflow with it"), () => actions.queue(), "ns-go");
  view.undo = button(say("Undo"), say("Back to what was there"), () => actions.unchoose());
  view.held = make("b");
  view.heldText = make("span");
  view.release = button(say("Release"), say("Search again"), () => actions.release());
  view.take = button(say("Take over"), say("Steer it from here; the other page goes on seeing it"), () => actions.take(), "ns-go");
  view.band = make("div", "ns-held", {}, make("span", "", {}, view.held, view.heldText), view.release, view.take);
  view.earlier = button(say("‹ Earlier"), say("The pictures of the run before"), () => actions.leaf(-1));
  view.later = button(say("Later ›"), say("The pictures of the next run"), () => actions.leaf(1));
  view.more = make("span", "ns-more");
  view.more.dataset.key = "";
  view.back = button("‹", say("The search before, of the same run"), () => actions.turn(-1));
  view.next = button("›", say("The next search of the same run"), () => actions.turn(1));
  view.which = make("span", "ns-which");
  view.turns = make("span", "ns-turns", {}, view.back, view.which, view.next);
  const size = dialog ? button("✕", say("Close (Esc)"), actions.close) : button("⤢", say("Open large"), actions.enlarge);
  view.bar = make("i");
  view.doing = make("div", "ns-doing");
  buildAsks(view);
  buildProblem(view);
  buildCompare(view);
  view.large = make("div", "ns-large");
  view.small = make("div", "ns-small");
  view.chart = createChart();
  view.side = make("div", "ns-side", {}, view.large, view.small, view.chart.root);
  view.top = make("div", "ns-top", {}, view.compare, view.side);
  view.sort = make("select", "ns-sort", { ariaLabel: say("Order of the pictures") }, option("best", say("best first")), option("newest", say("newest first")));
  view.sort.addEventListener("change", () => { view.by = view.sort.value; view.scroller.scrollTop = 0; arrange(view); });
  view.apartButton = button("", "", () => actions.apart(), "ns-apart");
  view.turnStack = (id) => turnStack(view, id);
  view.hint = make("span", "ns-hint");
  view.making = make("div", "ns-making", { role: "group", ariaLabel: say("Pictures in the making") });
  view.space = make("div", "ns-space");
  view.scroller = make("div", "ns-grid", { tabIndex: 0, role: "listbox", ariaLabel: say("Pictures tried") }, view.making, view.space);
  view.scroller.dataset.captureWheel = "true"; // Nodes 2.0: scroll here instead of zooming the graph
  view.detail = make("div", "ns-detail");
  view.buttons = make("div", "ns-buttons");
  view.notes = make("div", "ns-notes");
  view.tools = make("div", "ns-tools", {}, view.hint, view.more, view.earlier, view.later, view.apartButton, view.sort);
  view.foot = make("div", "ns-foot", {}, view.detail, view.buttons, view.notes);
  view.root = make("div", "ns-panel", {},
    make("div", "ns-head", {}, view.status, view.turns, view.queue, view.undo, view.pause, view.finish, view.notify, size),
    make("div", "ns-bar", {}, view.bar), view.doing, view.problem, view.band, view.asks, view.top,
    view.tools, view.scroller, view.foot);
  view.idleText = make("span");
  view.book = button(say("Seed book…"), say("Noises that you kept: use one here"), () => actions.openBook());
  view.idle = make("div", "ns-idle", {}, view.idleText, view.book);
  view.buttons.dataset.key = "";
  view.scroller.before(view.idle);
  listen(view);
  show(view, null, {});
}

function listen(view) {
  const later = once(() => drawCells(view));
  view.scroller.addEventListener("scroll", later, { passive: true });
  new ResizeObserver(once(() => arrange(view))).observe(view.scroller);
  view.root.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && view.scroller.contains(event.target)) event.stopPropagation();
  }, { passive: true });
  view.root.addEventListener("keydown", (event) => keyed(view, event));
  const at = (event) => idAt(event.target.closest?.(".ns-cell"));
  view.scroller.addEventListener("pointermove", (event) => hover(view, at(event)));
  view.scroller.addEventListener("pointerleave", () => hover(view, -1));
  view.scroller.addEventListener("click", (event) => {
    event.stopPropagation();
    if (at(event) >= 0) pick(view, at(event));
  });
}

const idAt = (cell) => Number(cell?.dataset.id ?? -1);

function show(view, search, { place = [1, 1], others = [0, 0], chosen = -1, held = -1, marks = [], replaying = false, varying = false, before = "", waiting = null, failed = null, apart = false, opened = new Set(), node = NODE }) {
  const another = search?.search !== view.search?.search;
  Object.assign(view, { search, chosen, heldId: held, marks, before, apart, opened, node });
  if (another) Object.assign(view, { focused: -1, hovered: -1, order: [], previews: new Map() });
  if (another) view.scroller.scrollTop = 0;
  view.root.classList.toggle("ns-empty", !search);
  const changed = node.changed && search?.mine && !isRunning(search);
  view.root.classList.toggle("ns-changed", Boolean(changed));
  drawBand(view, search && !search.mine ? OTHERS : holding({ begun: Boolean(search), replaying, varying, chosen, held }) ?? (changed ? CHANGED : null));
  drawAsks(view);
  drawProblem(view, search, failed);
  drawIdle(view, waiting);
  if (!search) return;
  const tiles = Boolean(tilesOf(search));
  const many = search.pictures > 1;
  for (const part of [view.top, view.foot]) part.hidden = !search.candidates.length;
  const grid = search.candidates.length > 0 && many;
  view.sort.hidden = !grid;
  view.hint.hidden = !grid || others.some(Boolean);
  view.tools.hidden = !grid && !others.some(Boolean);
  view.scroller.hidden = !grid && !tiles;
  view.root.classList.toggle("ns-one", !many);
  view.root.dataset.status = search.status;
  view.root.classList.toggle("ns-unjudged", !isJudged(search));
  set(view.status, waitingText(waiting) || (chosen >= 0 ? say("#{id} is chosen", { id: numberOf(chosen) }) : statusText(search)));
  drawDoing(view);
  drawChoice(view);
  view.bar.style.width = `${100 * progressOf(search)}%`;
  drawTurns(view, place, others);
  drawMore(view, others[1] ? [] : offersOfMore(search, node));
  for (const one of [view.finish, view.pause]) one.hidden = !isRunning(search) || isWaiting(search) || !search.mine;
  view.finish.disabled = search.status === "finishing" || bestOf(search) < 0;
  view.pause.disabled = search.status === "finishing";
  set(view.pause, search.status === "paused" ? say("Continue") : say("Pause"));
  const [large, small] = headline(search);
  set(view.large, large);
  set(view.small, small);
  view.root.classList.toggle("ns-worse", isWorse(search));
  set(view.notes, search.notes.join(" "));
  view.notes.title = search.notes.join("\n");
  view.chart.show(search);
  arrange(view);
}

// What stands where no picture is.
function drawIdle({ idle, idleText: text, book, search, band, problem }, waiting) {
  idle.hidden = search ? Boolean(search.candidates.length || tilesOf(search)) : !band.hidden || !problem.hidden && !waiting;
  set(text, idleText(search, waiting));
  book.hidden = Boolean(search || waiting);
}

// A chosen picture is not the result yet: the way there, and back.
function drawChoice({ queue, undo, chosen, node }) {
  queue.hidden = undo.hidden = chosen < 0;
  set(queue, node.changed ? say("Use the noise of #{id}", { id: numberOf(chosen) }) : say("Use #{id}", { id: numberOf(chosen) }));
}

// Where a search may go on.
function drawMore({ more, search, actions }, offered) {
  const key = JSON.stringify([search.search, offered]);
  if (more.dataset.key === key) return;
  more.dataset.key = key;
  more.replaceChildren(...offered.map(({ act, label, title }) => button(label, title, () => actions.more(act))));
}

// Which run is in sight, and of a list or a loop which of its searches.
function drawTurns({ turns, which, back, next, earlier, later }, [at, of], [before, behind]) {
  earlier.hidden = !before && !behind;
  later.hidden = !behind;
  earlier.disabled = !before;
  turns.hidden = of < 2;
  set(which, say("{place} of {count}", { place: at, count: of }));
  back.disabled = at <= 1;
  next.disabled = at >= of;
}

function drawBand({ band, held, heldText, release, take }, said) {
  band.hidden = !said;
  take.hidden = said !== OTHERS;
  release.hidden = said === OTHERS || said === CHANGED;
  set(held, said ? `${said.title} ` : "");
  set(heldText, said?.text ?? "");
}

function arrange(view) {
  if (!view.search) return;
  Object.assign(view, arranged(view.search, { ...view, stay: staying(view) }));
  view.place = new Map(view.order.map((id, index) => [id, index]));
  view.layout = layout(view.scroller.clientWidth || 1, view.order.length, view.cell, GAP);
  view.above = drawMaking(view, GAP);
  drawApart(view);
  view.space.style.height = `${view.layout.height}px`;
  drawCells(view);
  view.hovered = idAt(view.scroller.querySelector(".ns-cell:hover")); // another picture may have come under the pointer
  drawQuick(view, view.hovered);
  drawCompare(view);
  drawFoot(view);
}

// Puts all stacks apart, or together again.
function drawApart(view) {
  const { apartButton: apart, search, by } = view;
  apart.hidden = view.sort.hidden || !hasStacks(search);
  apart.disabled = by !== "best";
  apart.ariaPressed = String(isStacked(search, view));
  apart.ariaLabel = say("Stacks");
  apart.title = apartText(view);
}

// Opens the stack that this picture is in, or closes it: then the best one is looked at.
function turnStack(view, id) {
  const stack = view.stacks.get(id);
  if (!stack) return false;
  const back = stack.open && view.stacks.get(view.focused) === stack;
  if (back) view.focused = stack.top;
  view.actions.stack(stack.lineage);
  if (back) focus(view, stack.top);
  reveal(view, stack.top);
  return true;
}

function reveal(view, id) {
  const index = view.place.get(id);
  view.scroller.scrollTop = view.above + scrolledTo(view.layout, index, view.scroller.scrollTop - view.above, view.scroller.clientHeight);
}

function hover(view, id) {
  if (id === view.hovered) return;
  play(view, view.hovered, false);
  play(view, id, true);
  view.hovered = id;
  if (isWaiting(view.search)) drawCompare(view);
  drawQuick(view, id);
  drawFoot(view);
}

// A click or Enter: looks at it, lets it go on where the run waits for that, and once the search is over makes it the node's result.
function pick(view, id) {
  const { search, actions } = view;
  focus(view, id);
  if (!search.mine || !search.candidates[id].finished) return;
  if (isWaiting(search)) actions.answer(id);
  else if (!isRunning(search)) actions.choose(id);
}

function focus(view, id) {
  view.focused = id;
  drawCells(view);
  view.scroller.setAttribute("aria-activedescendant", view.cells.get(id)?.id ?? "");
  drawCompare(view);
  drawFoot(view);
}

function keyed(view, event) {
  if (event.key === "Delete" || event.key === "Backspace") event.stopPropagation(); // in the page they remove the node
  if (event.target === view.slider || event.target === view.sort) return void event.stopPropagation();
  if (event.target !== view.scroller || !view.order.length || event.ctrlKey || event.metaKey || event.altKey) return;
  const next = moved(event.key, view.place.get(view.focused) ?? -1, view.layout);
  if (next !== null) {
    const id = view.order[Math.max(0, next)];
    reveal(view, id);
    focus(view, id);
  } else if (event.key === "Enter" || event.key === " ") {
    if (view.focused >= 0) pick(view, view.focused);
  } else if (!(event.key === "s" && turnStack(view, view.focused)) && !pressedQuick(view, view.focused, event.key)) return;
  event.preventDefault();
  event.stopPropagation(); // in the page arrows move the node
}
