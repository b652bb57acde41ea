// The live panel of the search nodes: shows a search while it runs, steers it, and goes on from what it found.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { openBook } from "./book/dialog.js";
import { ADDRESSES, EVENTS } from "./messages.js";
import { isApart, remember } from "./panel/apart.js";
import { watchChanged } from "./panel/changed.js";
import { once } from "./panel/dom.js";
import { takeOver, watchElsewhere } from "./panel/elsewhere.js";
import { forgetting } from "./panel/forget.js";
import { goingOn } from "./panel/going_on.js";
import { asPage, ask, copy, giveId, nodeOf, openDialog, pageId, rootGraph, send, tell, withPanels, workflowId } from "./panel/page.js";
import { watchQueue } from "./panel/queue.js";
import { goFurther } from "./panel/more.js";
import { fold } from "./panel/rows.js";
import { EMPTY, leafed, opened, placeOf, searchesIn, shownOf, turned, withSearch } from "./panel/run.js";
import { listenForSaved } from "./panel/saving.js";
import { isRunning, merge, resultOf } from "./panel/search.js";
import { createSidebar } from "./panel/sidebar.js";
import { HEIGHT, IDLE_HEIGHT, PROBLEM_HEIGHT, WIDTH } from "./panel/sizes.js";
import { canStart, isVarying, stopVarying } from "./panel/start.js";
import { tilesOf, withTiles } from "./panel/tiles.js";
import { createView } from "./panel/view.js";
import { clicked, isWaiting } from "./panel/waits.js";
import { isLinked, labelOf, setValue, typedInto, widgetOf } from "./panel/wiring.js";
import { call } from "./pick/call.js";
import { drawNote, watchOutOfSight } from "./pick/note.js";
import { isInSight } from "./pick/page.js";
import { say } from "./words.js";

const TRACE = "NOISE_SEARCH_TRACE"; // nodes/sockets.py
const ROOT = ADDRESSES.searches;
const panels = new WeakMap(); // node -> { runs, search, chosen, held, marks, before, compared, views, opened, waiting, failed, coming, passed }
const away = new Map(); // ids of this page's searches that wait in another workflow -> its id
let asked = ""; // the page's name when it asked last
let queue, change, sidebar;
let apart = isApart(); // whether versions are tiles of their own
let changed = new Set(); // ids of searches that were made from something else than what is on the canvas
const elsewhere = watchElsewhere({ root: ROOT, list: "searches", concerns: (node) => panels.has(node) && !panels.get(node).search?.mine, show: showOthers });

app.registerExtension({
  name: "noise_search.panel",
  setup() {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("./panel/panel.css", import.meta.url).href });
    document.head.append(style);
    api.addEventListener(EVENTS.update, ({ detail }) => { receive(detail); callFor(detail); });
    api.addEventListener("reconnected", catchUp);
    api.addEventListener("status", () => { if (pageId() !== asked) catchUp(); }); // the page has its name, or another one
    api.addEventListener(EVENTS.tiles, ({ detail }) => receiveTiles(detail));
    queue = watchQueue(panels, drawAndGrow);
    change = watchChanged({ root: ROOT, wanted: () => ours().some(([, { search }]) => search?.mine), tell: showChanged });
    watchOutOfSight(waitingOutOfSight);
    setInterval(tick, 500);
    listenForSaved();
    sidebar = createSidebar({ searches: listed, openBook: () => openBook({ use: (recipe) => copy(recipe, say("Recipe copied: put it into the recipe of a search")), walks: true }) });
    app.extensionManager?.registerSidebarTab?.(sidebar.tab);
  },
  nodeCreated(node) {
    giveId();
    if (node.outputs?.some(({ type }) => type === TRACE) && widgetOf(node, "recipe")) addPanel(node); // a search node
  },
  afterConfigureGraph: () => catchUp(),
  getNodeMenuItems(node) {
    const search = panels.get(node)?.search;
    return search?.mine && !isRunning(search) ? [forgetting(`${ROOT}/${search.search}`)] : [];
  },
});

function addPanel(node) {
  const panel = { runs: EMPTY, get search() { return shownOf(this.runs); }, chosen: -1, held: -1, marks: [], before: "", compared: "", views: new Set(), opened: new Map(), waiting: null, failed: null, coming: false, passed: "" };
  panels.set(node, panel);
  const view = createView(actionsOf(node));
  panel.views.add(view);
  const getMinHeight = () => (panel.search ? HEIGHT : panel.failed ? PROBLEM_HEIGHT : IDLE_HEIGHT);
  const options = { serialize: false, hideOnZoom: false, margin: 6, getMinHeight, getValue: () => "", setValue: () => {} };
  const widget = node.addDOMWidget("noise_search_panel", "NOISE_SEARCH_PANEL", view.root, options);
  widget.serialize = false; // options.serialize: the prompt; this: the saved workflow
  node.hideOutputImages = true; // the panel shows them: Nodes 2.0
  node.onDrawBackground = () => {}; // the same on the canvas
  fold(node);
  node.setSize([Math.max(WIDTH, node.size[0]), node.computeSize()[1]]);
  after(widgetOf(node, "recipe"), "callback", () => draw(node)); // typed in, or taken out
  after(node, "onConfigure", () => { fold(node); draw(node); }); // a workflow, or a picture dropped on the canvas, brought a recipe
  after(node, "onConnectionsChange", () => { fold(node); draw(node); });
}

function after(object, method, act) {
  const before = object[method];
  object[method] = function (...given) {
    const result = before?.apply(this, given);
    act();
    return result;
  };
}

function actionsOf(node) {
  const panel = panels.get(node);
  const address = (id) => `${ROOT}/${panel.search.search}/${id}`;
  return {
    ...goingOn(node, panel, { address, fill: (recipe, how = {}) => fill(node, recipe, how) }),
    picture: (id, size) => api.apiURL(asPage(`${address(id)}/${size}`)),
    stack: (lineage) => turnStack(node, lineage),
    apart: putApart,
    turn: (by) => turn(node, turned, by),
    leaf: (by) => turn(node, leafed, by),
    more: (act) => further(node, act),
    take: () => take(node),
    steer: (action) => control(node, { action }),
    pin: (candidate, on) => control(node, { action: on ? "pin" : "unpin", candidate }),
    choose: (id) => fillIn(node, id, { chosen: id }),
    use: async (id) => { if (await fillIn(node, id, { chosen: id })) app.queuePrompt(0, 1); },
    unchoose: () => unchoose(node),
    answer: (id) => answer(node, id),
    sendMarks: () => control(node, { action: "pick", picked: panel.marks }),
    leave: () => control(node, { action: "leave" }),
    hold: (id) => fillIn(node, id, { held: id }),
    release: () => release(node),
    queue: () => app.queuePrompt(0, 1),
    enlarge: () => enlarge(node),
    copyText: (text) => copy(text, say("The text of the error is copied")),
  };
}

function receive(update) {
  const node = nodeOf(update);
  const panel = panels.get(node);
  if (!panel) return;
  const known = searchesIn(panel.runs).find(({ search }) => search === update.search) ?? null;
  const merged = merge(known, update);
  if (merged) accept(node, merged);
  else ask(`${ROOT}/${update.search}?workflow=${encodeURIComponent(update.workflow)}`).then((search) => search && accept(node, search));
}

// Of a search that the page knows nothing of, or whose candidates are there already, it is no news.
function receiveTiles(update) {
  const node = nodeOf(update);
  const search = searchesIn(panels.get(node)?.runs ?? EMPTY).find(({ search }) => search === update.search);
  if (!search) return;
  withTiles(search, update);
  if (tilesOf(search)) draw(node);
}

function accept(node, search) {
  const panel = panels.get(node), before = panel.search;
  const runs = withSearch(panel.runs, search);
  if (search.asked && search.asked.ends === undefined) search.asked.ends = search.asked.seconds_left === null ? null : Date.now() + 1000 * search.asked.seconds_left;
  if (before && shownOf(runs).prompt_id !== before.prompt_id) panel.compared = pictureOf(node);
  panel.runs = runs;
  settle(panel, before);
  if (search.mine && (before?.search !== search.search || isRunning(search))) Object.assign(panel, { waiting: null, coming: false });
  if (search.mine && isRunning(search)) panel.failed = null; // another page's search, and one of before, say nothing of this page's error
  draw(node);
  if (!before) grow(node);
}

function drawAndGrow(node) {
  const panel = panels.get(node);
  draw(node);
  if (panel.failed && !panel.search) grow(node);
}

// What is chosen and held is of one search: another one's numbers are others. What has become the result is chosen no more.
function settle(panel, before) {
  const { search } = panel;
  if (before?.search !== search.search) panel.held = -1;
  if (before?.search !== search.search || !isWaiting(search)) panel.marks = [];
  if (before?.search !== search.search || search.result[0] === panel.chosen) panel.chosen = -1;
}

// While it waits: a click is the answer, or one of several marks.
function answer(node, id) {
  const panel = panels.get(node), { marks, sent } = clicked(panel.search, panel.marks, id);
  panel.marks = marks;
  draw(node);
  if (sent) control(node, { action: "pick", picked: sent });
}

// A search of this page that begins to wait calls the artist, whatever workflow is on screen.
function callFor({ search, workflow, status, mine }) {
  if (status && (status !== "waiting" || workflow === workflowId())) away.delete(search);
  if (status !== "waiting" || !mine) return;
  if (workflow !== workflowId()) away.set(search, workflow);
  const node = () => ours().find(([, panel]) => panel.search?.search === search)?.[0];
  call(search, say("A search is over: pick what goes on."), () => node() && enlarge(node()));
  tick();
}

// Time left, and the note while the artist cannot see the pictures.
function tick() {
  for (const [, { views }] of ours()) for (const view of views) view.tick();
  drawNote();
}

function waitingOutOfSight() {
  const found = ours().find(([, { search, views }]) => isWaiting(search) && search.mine && ![...views].some(({ root }) => isInSight(root)));
  if (found) return { text: say("A search waits for your pick"), open: () => enlarge(found[0]) };
  return [...away.values()].some((workflow) => workflow !== workflowId()) ? { text: say("A search in another workflow waits for your pick"), open: null } : null;
}

// Shows another search: of the same run, or of another one.
function turn(node, step, by) {
  const panel = panels.get(node), before = panel.search;
  panel.runs = step(panel.runs, by);
  settle(panel, before);
  draw(node);
}

// Opens a stack of the gallery in sight, or closes it.
function turnStack(node, lineage) {
  const { opened, search } = panels.get(node), open = new Set(opened.get(search.search));
  if (!open.delete(lineage)) open.add(lineage);
  opened.set(search.search, open);
  draw(node);
}

// Puts all stacks of all panels apart, or together again.
function putApart() {
  apart = !apart;
  remember(apart);
  for (const [node] of ours()) draw(node);
}

// The address of the picture that a held noise is compared with: what it made last.
function pictureOf(node) {
  const { search, held } = panels.get(node);
  const id = held >= 0 ? held : resultOf(search);
  return id >= 0 && search.candidates[id].picture ? api.apiURL(asPage(`${ROOT}/${search.search}/${id}/large`)) : "";
}

// Asks for the searches of this workflow: after a reload, a new connection, another workflow.
async function catchUp() {
  const workflow = workflowId();
  asked = pageId();
  if (!workflow || !asked) return;
  queue.look();
  const answer = await ask(`${ROOT}?workflow=${encodeURIComponent(workflow)}`);
  const own = (answer?.searches ?? []).filter(({ mine }) => mine).map((search) => [nodeOf(search), search]);
  for (const [node] of ours()) {
    const searches = own.filter(([at]) => at === node).map(([, search]) => search);
    if (searches.length) await recognize(node, searches);
  }
  elsewhere.found(answer?.elsewhere ?? []);
  change.look();
}

const ours = () => withPanels(panels);

// For the sidebar.
const listed = () => ours().filter(([, { search }]) => search).map(([node, { search }]) => ({
  title: node.title, search, picture: (id) => actionsOf(node).picture(id, "small"), open: () => enlarge(node),
}));

function showChanged(found) {
  changed = found;
  for (const [node, { search }] of ours()) if (search?.mine) draw(node);
}

// Searches on: with more pictures, for longer, from another seed.
function further(node, act) {
  const given = goFurther(act, panels.get(node).search, (name) => typedInto(node, name, rootGraph()));
  if (given) return tell("warn", say("{input} is connected to another node: change it there", { input: labelOf(node.inputs, given) }));
  if (recipeWidget(node)?.value) fill(node, "", {});
  app.queuePrompt(0, 1);
}

// Other pages' searches of the same graph: in nodes that have none of their own, and no longer than the graph is the same.
async function showOthers(searches) {
  const same = new Set(searches.map(({ search }) => search));
  for (const [node, panel] of ours()) {
    if (panel.search && !panel.search.mine && !same.has(panel.search.search)) empty(node);
  }
  for (const search of searches) {
    const node = nodeOf(search);
    if (panels.has(node) && !panels.get(node).search?.mine) await recognize(node, [search]);
  }
}

function empty(node) {
  Object.assign(panels.get(node), { runs: EMPTY, chosen: -1, held: -1 });
  draw(node);
}

async function take(node) {
  const search = await takeOver(`${ROOT}/${panels.get(node).search.search}`);
  if (!search) return;
  accept(node, search);
  catchUp(); // the others of the same run
}

// The searches of a node, the last one in sight. Where a recipe is filled in, it is the last one that found it: another one's pictures would mislead.
async function recognize(node, searches) {
  const recipe = recipeWidget(node)?.value;
  let held = -1, shown = searches.at(-1);
  for (const search of recipe ? searches.toReversed() : []) {
    shown = search;
    held = isRunning(search) ? -1 : ((await send(`${ROOT}/${search.search}/find`, { recipe }))?.candidate ?? null);
    if (held !== null) break;
  }
  if (held === null) return;
  for (const search of searches) accept(node, search);
  const panel = panels.get(node);
  panel.runs = opened(panel.runs, shown.search);
  if (panel.search.search === shown.search) panel.held = held;
  draw(node);
}

function draw(node) {
  const { runs, search, chosen, held, marks, views, compared, opened, waiting, failed } = panels.get(node);
  const replaying = Boolean(recipeWidget(node)?.value);
  const about = { converts: node.comfyClass === "NoiseSearch", starts: canStart(node), judged: isLinked(node, "verifier"), replays: search?.pictures === 1 && replaying, changed: changed.has(search?.search) };
  const shown = { ...placeOf(runs), chosen, held, marks, replaying, varying: isVarying(node), before: compared, apart, opened: opened.get(search?.search), waiting, failed, node: about };
  for (const view of views) view.show(search, shown);
  drawSidebar();
}

const drawSidebar = once(() => sidebar.draw());

function grow(node) {
  const [width, height] = node.size;
  node.setSize([width, Math.max(height, node.computeSize()[1])]);
  app.graph?.setDirtyCanvas(true, true);
}

// Fills the recipe of a candidate in: the next queueing makes that one picture, and nothing is searched.
// Whether the recipe of a picture could be filled in.
async function fillIn(node, id, how) {
  const answer = await ask(`${ROOT}/${panels.get(node).search.search}/${id}/recipe`);
  return answer ? fill(node, answer.recipe, how) : false;
}

function fill(node, recipe, { chosen = -1, held = -1 }) {
  const panel = panels.get(node), widget = recipeWidget(node);
  if (!widget) {
    tell("warn", say("{input} is connected to another node: disconnect it to choose by hand", { input: labelOf(node.inputs, "recipe") }));
    return false;
  }
  if (panel.chosen < 0) panel.before = widget.value;
  Object.assign(panel, { chosen, held });
  setValue(widget, recipe);
  draw(node);
  return true;
}

const unchoose = (node) => fill(node, panels.get(node).before, {});

// Back to searching, from a noise that was held or varied.
function release(node) {
  if (!recipeWidget(node)?.value) stopVarying(node);
  fill(node, "", {});
}

function enlarge(node) {
  const panel = panels.get(node);
  const view = createView({ ...actionsOf(node), close: () => dialog.close() }, { cell: 150, dialog: true });
  const dialog = openDialog(view.root, () => panel.views.delete(view));
  panel.views.add(view);
  draw(node);
  view.grid.focus();
}

const control = (node, body) => send(`${ROOT}/${panels.get(node).search.search}/control`, body);
const recipeWidget = (node) => typedInto(node, "recipe", rootGraph());
