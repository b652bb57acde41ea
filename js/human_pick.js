// The gallery of Human Pick: in its node, large, and as a note on top of the page while pictures wait out of sight.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { ADDRESSES, EVENTS } from "./messages.js";
import { make } from "./panel/dom.js";
import { takeOver, watchElsewhere } from "./panel/elsewhere.js";
import { asPage, giveId, nodeOf, pageId, rootGraph, withPanels, workflowId } from "./panel/page.js";
import { setValue, widgetOf } from "./panel/wiring.js";
import { addSettings, call } from "./pick/call.js";
import { drawNote, watchOutOfSight } from "./pick/note.js";
import { SAY, ask, isInSight, tell } from "./pick/page.js";
import { choiceOf, choiceText, isWaiting, newer, readChoice, toggled } from "./pick/state.js";
import { createView } from "./pick/view.js";
import { openZoom } from "./pick/zoom.js";
import { say, sayCount } from "./words.js";

const ROOT = ADDRESSES.picks;
const [IDLE_HEIGHT, HEIGHT, WIDTH] = [70, 520, 400];
const galleries = new Map(); // workflow and node -> { pick, marks, busy, views, zoom }
const panels = new WeakMap(); // node -> { view, gallery }
const own = new Set(); // prompts that this page queued
const elsewhere = watchElsewhere({ root: ROOT, list: "picks", concerns: (node) => panels.has(node), show: showOthers });
const large = { gallery: null, dialog: null, announced: "" };

app.registerExtension({
  name: "noise_search.human_pick",
  setup() {
    document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("./pick/pick.css", import.meta.url).href }));
    addSettings();
    watchOutOfSight(() => (large.dialog ? null : noteOf(waitingOutOfSight())));
    api.addEventListener(EVENTS.pick, ({ detail }) => { receive(detail); callFor(detail); });
    api.addEventListener("execution_start", ({ detail }) => own.add(detail.prompt_id));
    for (const end of ["execution_success", "execution_interrupted", "execution_error"]) api.addEventListener(end, ({ detail }) => ended(detail.prompt_id));
    api.addEventListener("reconnected", catchUp);
    api.addEventListener("status", () => { if (api.clientId !== large.announced) catchUp(); }); // the page has its name, or another one
    setInterval(tick, 500);
  },
  nodeCreated(node) {
    giveId();
    if (node.comfyClass === "HumanPick") addView(node);
  },
  afterConfigureGraph: () => catchUp(),
});

function addView(node) {
  const panel = { gallery: null, view: null };
  panel.view = createView(actionsOf(() => panel.gallery, node));
  panels.set(node, panel);
  const getMinHeight = () => (panel.gallery ? HEIGHT : IDLE_HEIGHT);
  const options = { serialize: false, hideOnZoom: false, margin: 6, getMinHeight, getValue: () => "", setValue: () => {} };
  const widget = node.addDOMWidget("noise_search_pick", "NOISE_SEARCH_PICK", panel.view.root, options);
  widget.serialize = false; // options.serialize: the prompt; this: the saved workflow
  if (node.size[0] < WIDTH) node.setSize([WIDTH, node.size[1]]);
  const removed = node.onRemoved;
  node.onRemoved = function (...given) {
    panel.gallery?.views.delete(panel.view); // a gallery outlives the nodes that showed it
    return removed?.apply(this, given);
  };
  const choice = widgetOf(node, "choice"), before = choice?.callback;
  if (choice) choice.callback = (...values) => { before?.apply(choice, values); draw(panel.gallery, node); };
}

// node: where the gallery is, if this page shows it.
function actionsOf(galleryOf, node) {
  const actions = {
    picture: (pick, place, size) => api.apiURL(asPage(`${ROOT}/${pick.pick}/${place}/${size}`)),
    take: () => take(galleryOf()),
    mark: (place) => mark(galleryOf(), place),
    use: (place) => use(galleryOf(), place),
    roll: () => answer(galleryOf(), { action: "roll" }),
    leave: () => answer(galleryOf(), { action: "leave" }),
    ask: () => askAgain(galleryOf(), node),
    zoom: (place) => zoom(galleryOf(), place, actions, node),
    enlarge: () => open(galleryOf()),
    close: () => large.dialog?.close(),
  };
  return actions;
}

function receive(update) {
  const key = `${update.workflow} ${update.node}`;
  const gallery = galleries.get(key) ?? { pick: null, marks: [], busy: false, views: new Set(), zoom: null };
  const pick = newer(gallery.pick, update);
  if (pick !== update) return;
  galleries.set(key, gallery);
  if (pick.pick !== gallery.pick?.pick || !isWaiting(pick)) {
    Object.assign(gallery, { marks: [], busy: false });
    gallery.zoom?.close();
  }
  pick.ends = pick.seconds_left === null ? null : Date.now() + 1000 * pick.seconds_left;
  gallery.pick = pick;
  if (!isWaiting(pick) && pick.status !== "rolled" && large.gallery === gallery) large.dialog?.close();
  attach(gallery);
  draw(gallery);
  tick();
}

// What begins to wait for this page calls the artist.
function callFor(pick) {
  if (isWaiting(pick) && pick.mine) call(pick.pick, waitingText(pick), () => open(galleries.get(`${pick.workflow} ${pick.node}`)));
}

const waitingText = ({ count }) => sayCount(count, "A picture waits for your word", "{count} pictures wait for your pick");
const noteOf = (gallery) => gallery && { text: waitingText(gallery.pick), open: () => open(gallery) };

// Shows it in its node, where this page has that one.
function attach(gallery) {
  const node = nodeOf(gallery.pick), panel = panels.get(node);
  if (!panel || panel.gallery === gallery) return;
  panel.gallery?.views.delete(panel.view);
  const first = !panel.gallery;
  panel.gallery = gallery;
  gallery.views.add(panel.view);
  if (first) node.setSize([node.size[0], Math.max(node.size[1], node.computeSize()[1])]);
  app.graph?.setDirtyCanvas(true, true);
}

function draw(gallery, node = gallery && nodeOf(gallery.pick)) {
  const fixed = readChoice(choiceWidget(node)?.value);
  if (!gallery) return panels.get(node)?.view.show({ pick: null, marks: [], fixed, busy: false });
  for (const view of gallery.views) view.show({ ...gallery, fixed });
  gallery.zoom?.draw();
}

// Asks for the galleries of this workflow, and for what else waits for this page: after a reload, a new connection, another workflow.
async function catchUp() {
  for (const [node, { gallery }] of withPanels(panels)) draw(gallery, node);
  await announce();
  const workflow = workflowId();
  const here = workflow && (await ask(`${ROOT}?workflow=${encodeURIComponent(workflow)}`));
  const mine = pageId() && (await ask(ROOT));
  for (const { prompt_id } of mine?.picks ?? []) own.add(prompt_id);
  if (here) forget(workflow, new Set(here.picks.map(({ pick }) => pick)));
  for (const pick of [...(here?.picks ?? []).filter((one) => one.mine), ...(mine?.picks ?? [])]) receive(pick);
  elsewhere.found(here?.elsewhere ?? []);
}

// What waits since its page was closed, in nodes of the same graph, and no longer than the graph is the same.
function showOthers(picks) {
  const same = new Set(picks.map(({ pick }) => pick));
  for (const { pick } of galleries.values()) {
    if (!pick.mine && isWaiting(pick) && pick.workflow === workflowId() && !same.has(pick.pick)) cancel(pick);
  }
  for (const pick of picks) receive(pick);
}

// From now on this page answers.
async function take(gallery) {
  const pick = await takeOver(`${ROOT}/${gallery.pick.pick}`, SAY);
  if (pick) receive(pick);
}

// What the server knows no more waits for nobody; the rest goes to the nodes of the page, which may be others now.
function forget(workflow, known) {
  for (const gallery of galleries.values()) {
    const { pick } = gallery;
    if (pick.workflow !== workflow) continue;
    attach(gallery);
    draw(gallery);
    if ((isWaiting(pick) || pick.status === "rolled") && !known.has(pick.pick)) cancel(pick);
  }
}

const cancel = (pick) => receive({ ...pick, status: "cancelled", version: pick.version + 1 });

// Tells the server that this page can be asked: it asks nobody else.
async function announce() {
  if (!api.clientId) return;
  large.announced = api.clientId;
  await ask(ROOT, { page: api.clientId });
}

// A prompt that ends while pictures are rolled again makes no more of them.
function ended(prompt) {
  own.delete(prompt);
  for (const { pick } of galleries.values()) {
    if (pick.prompt_id === prompt && pick.status === "rolled") cancel(pick);
  }
}

function mark(gallery, place) {
  const { pick } = gallery;
  if (gallery.busy || !pick.mine || (!isWaiting(pick) && pick.status !== "picked")) return;
  gallery.marks = toggled(gallery.marks, place);
  draw(gallery);
}

// While it waits: the answer. Afterwards: the same run again, as it was queued, with these; what is before the node comes from the host's cache.
async function use(gallery, place) {
  const { pick } = gallery;
  const marks = gallery.marks.length || place === undefined ? gallery.marks : [place];
  if (!marks.length || gallery.busy || !pick.mine) return;
  if (isWaiting(pick)) return answer(gallery, { action: "pick", picked: marks });
  if (!gallery.marks.length) return;
  const [, , prompt, extra] = (await ask(`/history/${pick.prompt_id}`))?.[pick.prompt_id]?.prompt ?? [];
  if (!prompt?.[pick.node]) return tell(say("ComfyUI has forgotten that run: queue again, and pick then."));
  for (const node of Object.values(prompt)) delete node.is_changed; // the host's own note
  prompt[pick.node].inputs.choice = choiceText(pick.roll, marks);
  gallery.busy = true;
  draw(gallery);
  await api.queuePrompt(0, { output: prompt, workflow: extra.extra_pnginfo?.workflow }).catch((error) => tell(error.message));
  gallery.busy = false;
  draw(gallery);
}

async function answer(gallery, body) {
  Object.assign(gallery, { busy: true });
  draw(gallery);
  const state = await ask(`${ROOT}/${gallery.pick.pick}/answer`, body);
  gallery.busy = false;
  if (state) receive(state);
  catchUp(); // another turn of a loop may wait in the same node
  draw(gallery);
}

function zoom(gallery, place, actions, node) {
  const read = () => ({ ...gallery, fixed: readChoice(choiceWidget(node ?? nodeOf(gallery.pick))?.value) });
  gallery.zoom = openZoom(read, place, actions);
  gallery.zoom.root.addEventListener("close", () => { gallery.zoom = null; });
}

function open(gallery) {
  if (!gallery || large.dialog) return;
  const dialog = make("dialog", "np-dialog", { ariaLabel: say("Pick pictures") });
  const view = createView(actionsOf(() => gallery), { dialog: true });
  dialog.append(view.root);
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  dialog.addEventListener("close", () => { gallery.views.delete(view); dialog.remove(); large.dialog = null; tick(); });
  document.body.append(dialog);
  Object.assign(large, { dialog, gallery });
  gallery.views.add(view);
  dialog.showModal();
  draw(gallery);
  view.grid.focus();
  tick();
}

// Time left, and the note while the artist cannot see the gallery.
function tick() {
  for (const { views } of galleries.values()) for (const view of views) view.tick();
  drawNote();
}

function waitingOutOfSight() {
  return [...galleries.values()].find(({ pick, views }) => {
    const here = workflowId() === pick.workflow || own.has(pick.prompt_id);
    return here && isWaiting(pick) && ![...views].some(({ root }) => isInSight(root));
  });
}

function askAgain(gallery, node = nodeOf(gallery.pick)) {
  const widget = choiceWidget(node);
  if (widget) setValue(widget, "");
  draw(gallery, node);
}

const choiceWidget = (node) => choiceOf(node, rootGraph());
