// The panel of one search as elements of the page. Knows nothing of the host: what it does goes through `actions`.
import { bestSoFar, expectation, linePath, scale, stepPath } from "./curve.js";
import { inSight, layout, moved, placeOf, scrolledTo } from "./grid.js";
import { bestOf, describe, headline, isJudged, isRunning, nameOf, ordered, progressOf, resultOf, score, statusText } from "./search.js";

const GAP = 4;
const CHART = [240, 96, 5]; // width, height, margin
const SVG = "http://www.w3.org/2000/svg";

// actions: picture(id, size), steer(action), pin(id, on), choose(id), unchoose(), queue(), copySeed(id), copyRecipe(id), convert(id), enlarge() or close().
export function createView(actions, { cell = 72, dialog = false } = {}) {
  const view = { actions, cell, search: null, chosen: -1, focused: -1, hovered: -1, by: "best", order: [], cells: new Map() };
  build(view, dialog);
  return { root: view.root, show: (search, more) => show(view, search, more), grid: view.scroller };
}

function build(view, dialog) {
  const { actions } = view;
  view.status = make("span", "ns-status", { ariaLive: "polite" });
  view.finish = button("Finish now", "Take the best so far as the result", () => actions.steer("finish"));
  view.pause = button("Pause", "", () => actions.steer(view.search.status === "paused" ? "continue" : "pause"));
  view.queue = button("", "Make the chosen picture the node's result", () => actions.queue(), "ns-go");
  view.undo = button("", "", () => actions.unchoose());
  const size = dialog ? button("✕", "Close (Esc)", actions.close) : button("⤢", "Open large", actions.enlarge);
  view.bar = make("i");
  view.left = make("img", "ns-left", { alt: "", draggable: false });
  view.right = make("img", "ns-right", { alt: "", draggable: false });
  view.leftName = make("span", "ns-name ns-left-name");
  view.rightName = make("span", "ns-name ns-right-name");
  view.slider = make("input", "ns-slider", { type: "range", min: 0, max: 100, value: 25, ariaLabel: "Compare: left is the first picture, right the best or the selected one" });
  view.compare = make("div", "ns-compare", {}, view.left, view.right, make("div", "ns-cut"), view.slider, view.leftName, view.rightName);
  view.slider.addEventListener("input", () => view.compare.style.setProperty("--cut", `${view.slider.value}%`));
  view.large = make("div", "ns-large");
  view.small = make("div", "ns-small");
  view.chart = chart();
  view.side = make("div", "ns-side", {}, view.large, view.small, view.chart.root);
  view.top = make("div", "ns-top", {}, view.compare, view.side);
  view.sort = make("select", "ns-sort", { ariaLabel: "Order of the pictures" }, option("best", "best first"), option("newest", "newest first"));
  view.sort.addEventListener("change", () => { view.by = view.sort.value; view.scroller.scrollTop = 0; arrange(view); });
  view.hint = make("span", "ns-hint");
  view.space = make("div", "ns-space");
  view.scroller = make("div", "ns-grid", { tabIndex: 0, role: "listbox", ariaLabel: "Pictures tried" }, view.space);
  view.scroller.dataset.captureWheel = "true"; // Nodes 2.0: scroll here instead of zooming the graph
  view.detail = make("div", "ns-detail");
  view.buttons = make("div", "ns-buttons");
  view.notes = make("div", "ns-notes");
  view.tools = make("div", "ns-tools", {}, view.hint, view.sort);
  view.foot = make("div", "ns-foot", {}, view.detail, view.buttons, view.notes);
  view.root = make("div", "ns-panel", {},
    make("div", "ns-head", {}, view.status, view.queue, view.undo, view.pause, view.finish, size),
    make("div", "ns-bar", {}, view.bar), view.top,
    view.tools, view.scroller, view.foot);
  view.idle = make("div", "ns-idle");
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
  const at = (event) => Number(event.target.closest?.(".ns-cell")?.dataset.id ?? -1);
  view.scroller.addEventListener("pointermove", (event) => hover(view, at(event)));
  view.scroller.addEventListener("pointerleave", () => hover(view, -1));
  view.scroller.addEventListener("click", (event) => {
    event.stopPropagation();
    if (at(event) >= 0) pick(view, at(event));
  });
}

function show(view, search, { chosen = -1, replaying = false, canConvert = false }) {
  const another = search?.search !== view.search?.search;
  Object.assign(view, { search, chosen, replaying, canConvert });
  if (another) Object.assign(view, { focused: -1, hovered: -1, order: [] });
  if (another) view.scroller.scrollTop = 0;
  view.root.classList.toggle("ns-empty", !search);
  view.idle.hidden = Boolean(search?.candidates.length);
  set(view.idle, search ? (isRunning(search) ? "The pictures show up here as they are made." : "") : "Queue to search. The pictures show up here as they are made.");
  if (!search) return;
  for (const part of [view.top, view.tools, view.scroller, view.foot]) part.hidden = !search.candidates.length;
  view.root.dataset.status = search.status;
  view.root.classList.toggle("ns-unjudged", !isJudged(search));
  set(view.status, chosen >= 0 ? `#${chosen} is chosen` : statusText(search));
  drawChoice(view);
  view.bar.style.width = `${100 * progressOf(search)}%`;
  for (const one of [view.finish, view.pause]) one.hidden = !isRunning(search);
  view.finish.disabled = search.status === "finishing" || bestOf(search) < 0;
  view.pause.disabled = search.status === "finishing";
  set(view.pause, search.status === "paused" ? "Continue" : "Pause");
  const [large, small] = headline(search);
  set(view.large, large);
  set(view.small, small);
  set(view.notes, search.notes.join(" "));
  view.notes.title = search.notes.join("\n");
  drawChart(view);
  arrange(view);
}

// A chosen picture is not the result yet: the way there, and back.
function drawChoice({ queue, undo, chosen, replaying, search }) {
  queue.hidden = chosen < 0;
  undo.hidden = chosen < 0 && (!replaying || isRunning(search));
  set(queue, `Queue #${chosen}`);
  set(undo, chosen < 0 ? "Search again" : "Undo");
  undo.title = chosen < 0 ? "Empties the recipe" : "Back to what was there";
}

function arrange(view) {
  if (!view.search) return;
  view.order = ordered(view.search, view.by);
  view.place = new Map(view.order.map((id, index) => [id, index]));
  view.layout = layout(view.scroller.clientWidth || 1, view.order.length, view.cell, GAP);
  view.space.style.height = `${view.layout.height}px`;
  drawCells(view);
  drawCompare(view);
  drawDetail(view);
}

function drawCells(view) {
  if (!view.search) return;
  const [first, last] = inSight(view.layout, view.scroller.scrollTop, view.scroller.clientHeight);
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
    cell.append(picture(view, id), make("span", "ns-score"), make("span", "ns-mark"));
    view.cells.set(id, cell);
    view.space.append(cell);
  }
  const [x, y] = placeOf(view.layout, index);
  const style = `transform:translate(${x}px,${y}px);width:${view.layout.side}px;height:${view.layout.side}px`;
  if (cell.style.cssText !== style) cell.style.cssText = style;
  set(cell.children[1], candidate.score === null ? nameOf(candidate) : score(candidate.score));
  set(cell.children[2], [search.pinned.includes(id) && "★", isJudged(search) && id === 0 && candidate.how !== "random" && nameOf(candidate)].filter(Boolean).join(" "));
  cell.classList.toggle("ns-best", id === resultOf(search) && (isJudged(search) || search.status === "done"));
  cell.classList.toggle("ns-chosen", id === view.chosen);
  cell.classList.toggle("ns-focused", id === view.focused);
  cell.classList.toggle("ns-draft", !candidate.finished);
  cell.setAttribute("aria-selected", String(id === view.chosen));
  const about = describe(search, id);
  const label = `${about.title}, ${about.seed}${about.score && `, score ${about.score}`}`;
  if (cell.ariaLabel !== label) cell.ariaLabel = label;
}

function picture(view, id) {
  const image = make("img", "", { alt: "", draggable: false, decoding: "async" });
  if (view.search.candidates[id].picture) image.src = view.actions.picture(id, "small");
  image.addEventListener("error", () => image.remove()); // the server was restarted, or kept better ones only
  return image;
}

// Left the first picture, right what the artist looks at: a hovered cell, else the chosen, the focused or the best one.
function drawCompare(view) {
  const { search } = view;
  if (!search.candidates.length) return;
  const right = [view.chosen, view.focused, resultOf(search), 0].find((id) => id >= 0);
  view.compare.classList.toggle("ns-single", right === 0);
  source(view, view.left, 0);
  source(view, view.right, right);
  set(view.leftName, right === 0 ? "" : nameOf(search.candidates[0]));
  const what = right === view.chosen ? "chosen" : right === resultOf(search) ? (isRunning(search) ? "best so far" : "result") : "selected";
  set(view.rightName, right === 0 ? nameOf(search.candidates[0]) : `${what} #${right}`);
}

function drawDetail(view) {
  const { search } = view;
  set(view.hint, isRunning(search) ? `${search.candidates.length} tried` : "Click a picture to choose it");
  const id = [view.hovered, view.focused, view.chosen, resultOf(search)].find((one) => one >= 0) ?? -1;
  view.detail.replaceChildren();
  view.buttons.replaceChildren();
  if (id < 0) return;
  const about = describe(search, id);
  view.detail.append(make("b", "", { textContent: about.title }), make("span", "", { textContent: about.seed }));
  if (about.score) view.detail.append(make("span", "ns-value", { textContent: about.score, title: search.notes.join("\n") }));
  for (const [name, value] of about.values) view.detail.append(make("span", "ns-value ns-part", { textContent: `${name} ${value}` }));
  const target = view.hovered >= 0 ? [view.focused, view.chosen, resultOf(search)].find((one) => one >= 0) ?? id : id;
  view.buttons.append(...buttonsFor(view, target));
}

function buttonsFor(view, id) {
  const { search, actions } = view;
  const pinned = search.pinned.includes(id);
  const plain = search.candidates[id].seed !== null;
  const found = [];
  found.push(button(pinned ? "Unpin" : "Pin", "Keep in front (P)", () => actions.pin(id, !pinned)));
  if (plain) found.push(button("Copy seed", "", () => actions.copySeed(id)));
  found.push(button("Copy recipe", "", () => actions.copyRecipe(id)));
  if (plain && view.canConvert && !isRunning(search)) {
    found.push(button("To KSampler", "Replace this node by a stock KSampler with this seed", () => actions.convert(id)));
  }
  return found;
}

function drawChart(view) {
  const { search, chart } = view;
  const found = isJudged(search) ? bestSoFar(search.candidates) : [];
  chart.root.toggleAttribute("hidden", !found.length);
  if (!found.length) return;
  const expected = expectation(search.candidates, search.pictures);
  const place = scale([found, expected], search.pictures, ...CHART);
  chart.found.setAttribute("d", stepPath(found, place));
  chart.expected.setAttribute("d", linePath(expected, place));
  const [x, y] = place(found.at(-1));
  chart.dot.style.left = `${100 * x / CHART[0]}%`;
  chart.dot.style.top = `${100 * y / CHART[1]}%`;
  chart.legend.hidden = !expected.length;
  set(chart.last, `${search.pictures} pictures`);
}

function chart() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${CHART[0]} ${CHART[1]}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const [expected, found] = ["ns-expected", "ns-found"].map((name) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    svg.append(path);
    return path;
  });
  const dot = make("i", "ns-dot"), last = make("span");
  const legend = make("span", "ns-legend", { textContent: "by chance", title: "The best of as many random noises, from mean and spread of the random ones so far" });
  const root = make("div", "ns-chart", {}, make("div", "ns-plot", {}, svg, dot), make("div", "ns-axis", {}, legend, last));
  return { root, expected, found, dot, legend, last };
}

function hover(view, id) {
  if (id === view.hovered) return;
  view.hovered = id;
  drawDetail(view);
}

// A click or Enter: looks at it, and once the search is over makes it the node's result.
function pick(view, id) {
  focus(view, id);
  if (!isRunning(view.search) && view.search.candidates[id].finished) view.actions.choose(id);
}

function focus(view, id) {
  view.focused = id;
  drawCells(view);
  view.scroller.setAttribute("aria-activedescendant", view.cells.get(id)?.id ?? "");
  drawCompare(view);
  drawDetail(view);
}

function keyed(view, event) {
  if (event.target === view.slider || event.target === view.sort) return void event.stopPropagation();
  if (event.target !== view.scroller || !view.order.length || event.ctrlKey || event.metaKey || event.altKey) return;
  const next = moved(event.key, view.place.get(view.focused) ?? -1, view.layout);
  if (next !== null) {
    const index = Math.max(0, next);
    view.scroller.scrollTop = scrolledTo(view.layout, index, view.scroller.scrollTop, view.scroller.clientHeight);
    focus(view, view.order[index]);
  } else if (event.key === "Enter" || event.key === " ") {
    if (view.focused >= 0) pick(view, view.focused);
  } else if (event.key === "p") {
    if (view.focused >= 0) view.actions.pin(view.focused, !view.search.pinned.includes(view.focused));
  } else if (event.key !== "Delete" && event.key !== "Backspace") return;
  event.preventDefault();
  event.stopPropagation(); // in the page arrows move the node, and Delete removes it
}

function make(tag, className = "", properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function button(text, title, act, className = "") {
  const element = make("button", className, { type: "button", textContent: text, title });
  element.addEventListener("click", (event) => { event.stopPropagation(); act(); });
  return element;
}

const option = (value, text) => make("option", "", { value, textContent: text });

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function source({ search, actions }, image, id) {
  const address = search.candidates[id].picture ? actions.picture(id, "large") : "";
  if (image.getAttribute("src") !== address) image.src = address;
}

// At most once per frame.
function once(act) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; act(); });
  };
}
