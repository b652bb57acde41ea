// A sheet as a grid whose labels stay in sight. Knows nothing of the host: what it does goes through `actions`.
import { button, make, set } from "../panel/dom.js";
import { about, honours, namesOf, neighbour, rowsOf, shapeOf, short } from "./table.js";
import { say } from "../words.js";

const [GAP, LABELS] = [4, 0.28]; // pixels; share of the width that labels of rows may take
const FIGURES = /^\d{10,}$/; // a seed, which is hard to read on two lines

// actions: address(file), look(place), hold(place), copySeed(place), copyLabels(place), and enlarge() or close(). least: pixels that a cell has at least.
export function createView(actions, { dialog = false, least = 84 } = {}) {
  const view = { actions, dialog, least, sheet: null, held: -1, focused: -1, cells: [] };
  build(view);
  show(view, null, -1);
  return { root: view.root, grid: view.grid, show: (sheet, held) => show(view, sheet, held), focus: (place) => focus(view, place) };
}

function build(view) {
  const { actions } = view;
  view.title = make("b", "nt-title");
  view.hint = make("span", "nt-hint", { ariaLive: "polite" });
  const size = view.dialog ? button("✕", say("Close (Esc)"), actions.close) : button("⤢", say("Open large"), actions.enlarge);
  view.size = Object.assign(size, { ariaLabel: view.dialog ? say("Close") : say("Open large") });
  view.grid = make("div", "nt-grid", { tabIndex: 0, role: "listbox", ariaLabel: say("Pictures of the sheet") });
  view.grid.dataset.captureWheel = "true"; // Nodes 2.0: scroll here instead of zooming the graph
  view.detail = make("div", "nt-detail");
  const act = (what) => () => view.focused >= 0 && actions[what](view.focused);
  view.look = button(say("Look closely"), say("Also a click on the picture, or Z"), act("look"));
  view.hold = button("", "", act("hold"));
  view.seed = button(say("Copy seed"), "", act("copySeed"));
  view.labels = button(say("Copy labels"), "", act("copyLabels"));
  view.foot = make("div", "nt-foot", {}, view.look, view.hold, view.seed, view.labels);
  view.root = make("div", "nt-root", {}, make("div", "nt-head", {}, view.title, view.hint, view.size), view.grid, view.detail, view.foot);
  listen(view);
}

function listen(view) {
  const at = (event) => Number(event.target.closest?.(".nt-cell")?.dataset.place ?? -1);
  view.grid.addEventListener("click", (event) => {
    event.stopPropagation();
    const place = at(event);
    if (place < 0) return;
    focus(view, place);
    view.actions.look(place);
  });
  view.grid.addEventListener("pointerover", (event) => { if (at(event) >= 0) detail(view, at(event)); });
  view.grid.addEventListener("pointerleave", () => detail(view, view.focused));
  view.grid.addEventListener("wheel", (event) => { if (!event.ctrlKey) event.stopPropagation(); }, { passive: true });
  view.root.addEventListener("keydown", (event) => keyed(view, event));
  new ResizeObserver(() => requestAnimationFrame(() => arrange(view))).observe(view.grid);
}

function show(view, sheet, held) {
  const another = sheet !== view.sheet;
  Object.assign(view, { sheet, held });
  if (another) fill(view);
  view.root.classList.toggle("nt-empty", !sheet);
  set(view.title, sheet?.title ?? "");
  set(view.hint, hint(view));
  for (const [place, cell] of view.cells.entries()) cell.classList.toggle("nt-held", place === held);
  drawFoot(view);
}

function hint({ sheet, held }) {
  if (!sheet) return say("Run, and every picture can be clicked here.");
  if (held >= 0) return say("Click the picture to compare with: {names}", { names: namesOf(sheet, held).join(", ") });
  return sheet.title ? "" : say("{rows} × {columns} pictures", { rows: rowsOf(sheet), columns: sheet.across });
}

function fill(view) {
  const { sheet, grid } = view;
  view.cells = sheet ? sheet.cells.map((_, place) => makeCell(view, place)) : [];
  view.focused = -1;
  grid.replaceChildren(...(sheet ? parts(view) : []));
  grid.scrollTo(0, 0);
  grid.removeAttribute("aria-activedescendant");
  if (sheet) arrange(view);
}

// Labels and pictures in the order in which they are laid out.
function* parts({ sheet, cells }) {
  const named = sheet.rows.length > 0;
  if (sheet.columns.length) {
    if (named) yield make("div", "nt-corner");
    for (const text of sheet.columns) yield label(text, FIGURES.test(text) ? "nt-column nt-figures" : "nt-column");
  }
  for (const [place, cell] of cells.entries()) {
    if (named && place % sheet.across === 0) yield label(sheet.rows[place / sheet.across] ?? "", "nt-row");
    yield cell;
  }
}

const label = (text, kind) => make("div", kind, { title: text }, make("span", "", { textContent: text }));

function makeCell(view, place) {
  const { sheet, actions, dialog } = view, cell = sheet.cells[place];
  const root = make("div", "nt-cell", { role: "option", id: `nt-${crypto.getRandomValues(new Uint32Array(1))[0]}-${place}`, ariaLabel: about(sheet, place).join(", ") });
  root.dataset.place = place;
  root.append(picture(actions, (dialog && cell.large) || cell.small));
  const marks = make("span", "nt-marks");
  for (const what of ["row", "column"].filter((one) => cell.best.includes(one))) {
    marks.append(make("i", `nt-best-${what}`, { textContent: what === "row" ? say("row") : say("column"), title: what === "row" ? say("best of its row") : say("best of its column") }));
  }
  root.append(marks, make("span", "nt-score", { textContent: cell.score === null ? "" : short(cell.score), title: honours(cell).join(", ") }));
  root.classList.toggle("nt-best", cell.best.includes("all"));
  return root;
}

function picture(actions, file) {
  const gone = make("span", "nt-gone", { textContent: say("not kept any more") });
  if (!file) return gone;
  const image = make("img", "", { alt: "", draggable: false, decoding: "async", loading: "lazy", src: actions.address(file) });
  image.addEventListener("error", () => image.replaceWith(gone)); // the server was restarted
  return image;
}

// Cells as wide as the grid lets them be; where that is too narrow, it scrolls.
function arrange({ sheet, grid, least }) {
  if (!sheet || !grid.clientWidth) return;
  const labels = sheet.rows.length ? Math.round(Math.min(220, grid.clientWidth * LABELS)) : 0;
  const room = grid.clientWidth - 4 - labels - GAP * (sheet.across - (labels ? 0 : 1));
  const high = Math.max(least, (grid.clientHeight - (sheet.columns.length ? 28 : 0) - GAP) / shapeOf(sheet)); // all of a cell is in sight
  const side = Math.floor(Math.max(least, Math.min(room / sheet.across, high)));
  grid.style.gridTemplateColumns = `${labels ? `${labels}px ` : ""}repeat(${sheet.across}, ${side}px)`;
  grid.style.setProperty("--nt-high", `${Math.round(side * shapeOf(sheet))}px`);
}

function detail(view, place) {
  const { sheet } = view;
  set(view.detail, sheet?.cells[place] ? about(sheet, place).join(" · ") : "");
}

function drawFoot(view) {
  const { sheet, focused, held } = view, cell = sheet?.cells[focused];
  for (const one of [view.look, view.hold, view.labels, view.seed]) one.disabled = !cell;
  set(view.hold, held >= 0 && held === focused ? say("Stop comparing") : say("Compare with…"));
  view.hold.title = say("Then click any other picture (X)");
  view.seed.hidden = !sheet?.cells.some(({ seed }) => seed);
  detail(view, focused);
}

function focus(view, place) {
  const cell = view.cells[place];
  if (!cell) return;
  view.cells[view.focused]?.classList.remove("nt-focused");
  view.focused = place;
  cell.classList.add("nt-focused");
  cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  view.grid.setAttribute("aria-activedescendant", cell.id);
  drawFoot(view);
}

const ACTS = { Enter: "look", " ": "look", z: "look", Z: "look", x: "hold", X: "hold" };

function keyed(view, event) {
  if (event.target !== view.grid || !view.sheet || event.ctrlKey || event.metaKey || event.altKey) return;
  const next = neighbour(view.sheet, Math.max(0, view.focused), event.key);
  if (next !== null) focus(view, view.focused < 0 ? 0 : next);
  else if (ACTS[event.key] && view.focused >= 0) view.actions[ACTS[event.key]](view.focused);
  else if (event.key !== "Delete" && event.key !== "Backspace") return;
  event.preventDefault();
  event.stopPropagation(); // in the page arrows move the node, and Delete removes it
}
