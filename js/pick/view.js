// The gallery of one pick as elements of the page. Knows nothing of the host: what it does goes through `actions`.
import { moved } from "../panel/grid.js";
import { button, make, set } from "../panel/dom.js";
import { drawPermission, permissionButton } from "./permission.js";
import { about, bestOf, headline, hint, isWaiting, kindOf, layout, leaving, meaning, rankOf, several, short, shownMarks } from "./state.js";
import { say } from "../words.js";

const [GAP, LEAST] = [6, 92]; // pixels
const GLASS = '<svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true"><path d="M10.5 10.5 15 15M11.5 6.5a5 5 0 1 1-10 0a5 5 0 0 1 10 0z"/></svg>';

// actions: picture(place, size), take(), mark(place), use(), roll(), leave(), ask(), zoom(place), and enlarge() or close().
export function createView(actions, { dialog = false } = {}) {
  const view = { actions, dialog, shown: null, focused: 0, tiles: [] };
  build(view);
  show(view, { pick: null, marks: [], fixed: null, busy: false });
  return { root: view.root, grid: view.grid, show: (shown) => show(view, shown), tick: () => tick(view) };
}

function build(view) {
  const { actions } = view;
  view.title = make("b", "np-title", { ariaLive: "polite" });
  view.hint = make("span", "np-hint");
  const size = view.dialog ? button("✕", say("Close (Esc); the run goes on waiting"), actions.close) : button("⤢", say("Open large"), actions.enlarge);
  view.size = Object.assign(size, { ariaLabel: view.dialog ? say("Close") : say("Open large") });
  view.grid = make("div", "np-grid", { tabIndex: 0, role: "listbox", ariaMultiSelectable: "true", ariaLabel: say("Pictures to pick from") });
  view.grid.dataset.captureWheel = "true"; // Nodes 2.0: scroll here instead of zooming the graph
  view.use = button("", say("Enter"), actions.use, "np-go");
  view.roll = button(say("None of these: roll again"), "", actions.roll);
  view.leave = button("", "", actions.leave);
  view.take = button(say("Take over"), say("Pick here, instead of in the page that is closed"), actions.take, "np-go");
  view.ask = button(say("Ask me again"), say("Empties the choice"), actions.ask);
  view.notify = permissionButton();
  view.detail = make("div", "np-detail");
  view.foot = make("div", "np-foot", {}, view.take, view.use, view.roll, view.leave, view.ask, view.notify);
  view.root = make("div", "np-root", {},
    make("div", "np-head", {}, make("i", "np-lamp"), make("div", "np-say", {}, view.title, view.hint), view.size),
    view.grid, view.detail, view.foot);
  listen(view);
}

function listen(view) {
  const at = (event) => Number(event.target.closest?.(".np-tile")?.dataset.place ?? -1);
  view.grid.addEventListener("click", (event) => {
    event.stopPropagation();
    const place = at(event);
    if (place < 0) return;
    focus(view, place);
    if (event.target.closest(".np-zoom-in")) view.actions.zoom(place);
    else view.actions.mark(place);
  });
  view.grid.addEventListener("dblclick", (event) => {
    if (at(event) >= 0 && !event.target.closest(".np-zoom-in")) view.actions.zoom(at(event));
  });
  view.grid.addEventListener("pointerover", (event) => { if (at(event) >= 0) detail(view, at(event)); });
  view.grid.addEventListener("pointerleave", () => detail(view, view.focused));
  view.grid.addEventListener("wheel", (event) => { if (!event.ctrlKey) event.stopPropagation(); }, { passive: true });
  view.root.addEventListener("keydown", (event) => keyed(view, event));
  new ResizeObserver(() => requestAnimationFrame(() => arrange(view))).observe(view.grid);
}

function show(view, shown) {
  const another = shown.pick?.pick !== view.shown?.pick?.pick;
  const { pick, fixed, busy } = Object.assign(view, { shown }).shown;
  if (another) fill(view, pick);
  const marks = shownMarks(pick, shown.marks, fixed), waiting = isWaiting(pick);
  view.root.dataset.status = fixed && !waiting ? "fixed" : pick?.status ?? "idle";
  set(view.title, headline(pick, fixed));
  tick(view);
  view.grid.hidden = view.size.hidden = !pick || pick.status === "cancelled";
  view.root.classList.toggle("np-bare", view.grid.hidden);
  view.tiles.forEach((tile, place) => drawTile(tile, pick, place, marks));
  const over = pick?.status === "picked";
  const others = waiting && !pick.mine;
  view.take.hidden = !others;
  view.use.hidden = others || (!waiting && !(over && shown.marks.length));
  view.use.disabled = busy || !marks.length;
  set(view.use, usingText(marks, waiting));
  for (const one of [view.roll, view.leave]) one.hidden = !waiting || others;
  view.roll.disabled = busy || !pick?.rollable;
  view.roll.title = pick?.rollable ? say("Makes other pictures in this run, with new seeds. The seeds that you typed stay as they are.") : say("There is no seed behind these pictures");
  view.leave.disabled = busy;
  if (waiting) set(view.leave, leaving(pick));
  view.ask.hidden = !fixed || waiting;
  drawPermission(view.notify, waiting && !others);
  detail(view, view.focused);
}

function usingText(marks, waiting) {
  const pictures = several(marks);
  if (!waiting) return say("Use {pictures} instead", { pictures });
  return marks.length ? say("Use {pictures}", { pictures }) : say("Click pictures first");
}

function tick(view) {
  const { pick, marks, fixed } = view.shown;
  const left = pick?.ends === undefined || pick.ends === null ? null : (pick.ends - Date.now()) / 1000;
  set(view.hint, hint(pick, marks, fixed, left));
}

function fill(view, pick) {
  view.tiles = Array.from({ length: pick?.count ?? 0 }, (_, place) => makeTile(view, pick, place));
  view.grid.replaceChildren(...view.tiles);
  view.focused = 0;
  view.grid.removeAttribute("aria-activedescendant");
  arrange(view);
}

function makeTile(view, pick, place) {
  const image = make("img", "", { alt: "", draggable: false, decoding: "async", loading: "lazy", src: view.actions.picture(pick, place, kindOf(pick, place, view.dialog)) });
  image.addEventListener("error", () => image.remove()); // the server was restarted
  const zoom = make("button", "np-zoom-in", { type: "button", tabIndex: -1, title: say("Look closely (Z)"), ariaLabel: say("Look closely at #{place}", { place: place + 1 }) });
  zoom.innerHTML = GLASS;
  const tile = make("div", "np-tile", { role: "option", id: `np-${pick.pick}-${place}${view.dialog ? "-large" : ""}` },
    image, make("span", "np-rank"), make("span", "np-name", { textContent: `#${place + 1}` }), make("span", "np-score"), zoom);
  const [width, height] = pick.sizes[place];
  tile.style.aspectRatio = `${width} / ${height}`;
  tile.dataset.place = place;
  set(tile.querySelector(".np-score"), pick.scores.length ? short(pick.scores[place]) : "");
  tile.classList.toggle("np-best", place === bestOf(pick) && pick.count > 1);
  tile.ariaLabel = about(pick, place).join(", ");
  return tile;
}

function drawTile(tile, pick, place, marks) {
  const rank = rankOf(marks, place);
  set(tile.querySelector(".np-rank"), rank ? (marks.length > 1 ? String(rank) : "✓") : "");
  tile.classList.toggle("np-marked", rank > 0);
  tile.setAttribute("aria-selected", String(rank > 0));
}

function arrange(view) {
  const { pick } = view.shown ?? {};
  if (!pick || !view.grid.clientWidth) return;
  const shape = Math.max(...pick.sizes.map(([width, height]) => height / width));
  const [columns, tile] = layout(view.grid.clientWidth - 4, view.grid.clientHeight - 4, pick.count, shape, GAP, LEAST);
  view.columns = columns;
  view.grid.style.gridTemplateColumns = `repeat(${columns}, ${Math.floor(tile)}px)`;
}

// What is known of the picture under the pointer or the focus.
function detail(view, place) {
  const { pick } = view.shown;
  set(view.detail, pick && place < pick.count && pick.status !== "cancelled" ? about(pick, place).join(" · ") : "");
  view.detail.title = pick?.notes.join("\n") ?? "";
}

function focus(view, place) {
  view.tiles[view.focused]?.classList.remove("np-focused");
  view.focused = place;
  view.tiles[place].classList.add("np-focused");
  view.tiles[place].scrollIntoView({ block: "nearest" });
  view.grid.setAttribute("aria-activedescendant", view.tiles[place].id);
  detail(view, place);
}

function keyed(view, event) {
  if (event.key === "Escape" && !view.dialog) return;
  if (event.target !== view.grid || !view.tiles.length || event.ctrlKey || event.metaKey || event.altKey) return;
  const next = moved(event.key, view.focused, { columns: view.columns ?? 1, count: view.tiles.length });
  const act = meaning(event.key, false);
  if (next !== null) focus(view, next);
  else if (act === "mark") view.actions.mark(view.focused);
  else if (act === "zoom") view.actions.zoom(view.focused);
  else if (act === "use") view.actions.use(view.focused);
  else if (event.key !== "Delete" && event.key !== "Backspace") return;
  event.preventDefault();
  event.stopPropagation(); // in the page arrows move the node, and Delete removes it
}
