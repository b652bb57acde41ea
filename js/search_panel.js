// The live panel of the search nodes: shows a search while it runs, steers it, and chooses from what it found.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { plan, replace } from "./panel/ksampler.js";
import { merge } from "./panel/search.js";
import { createView } from "./panel/view.js";

const TRACE = "NOISE_SEARCH_TRACE"; // nodes/sockets.py
const EVENT = "noise_search.update"; // nodes/host/live.py
const ROOT = "/noise_search/searches"; // nodes/host/routes.py
const [IDLE_HEIGHT, HEIGHT, WIDTH] = [64, 540, 400];
const panels = new WeakMap(); // node -> { search, chosen, before, views }

app.registerExtension({
  name: "noise_search.panel",
  setup() {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("./panel/panel.css", import.meta.url).href });
    document.head.append(style);
    api.addEventListener(EVENT, ({ detail }) => receive(detail));
    api.addEventListener("reconnected", catchUp);
  },
  nodeCreated(node) {
    if (node.outputs?.some(({ type }) => type === TRACE) && recipeWidget(node)) addPanel(node); // a search node
  },
  afterConfigureGraph: () => catchUp(),
});

function addPanel(node) {
  const panel = { search: null, chosen: -1, before: "", views: new Set() };
  panels.set(node, panel);
  const view = createView(actionsOf(node));
  panel.views.add(view);
  const getMinHeight = () => (panel.search ? HEIGHT : IDLE_HEIGHT);
  const options = { serialize: false, hideOnZoom: false, margin: 6, getMinHeight, getValue: () => "", setValue: () => {} };
  const widget = node.addDOMWidget("noise_search_panel", "NOISE_SEARCH_PANEL", view.root, options);
  widget.serialize = false; // options.serialize: the prompt; this: the saved workflow
  node.hideOutputImages = true; // the panel shows them: Nodes 2.0
  node.onDrawBackground = () => {}; // the same on the canvas
  if (node.size[0] < WIDTH) node.setSize([WIDTH, node.size[1]]);
}

function actionsOf(node) {
  const panel = panels.get(node);
  return {
    picture: (id, size) => api.apiURL(`${ROOT}/${panel.search.search}/${id}/${size}`),
    steer: (action) => control(node, { action }),
    pin: (candidate, on) => control(node, { action: on ? "pin" : "unpin", candidate }),
    choose: (id) => choose(node, id),
    unchoose: () => unchoose(node),
    queue: () => app.queuePrompt(0, 1),
    copySeed: (id) => copy(panel.search.candidates[id].seed, "Seed copied"),
    copyRecipe: async (id) => copy((await ask(`${ROOT}/${panel.search.search}/${id}/recipe`))?.recipe, "Recipe copied"),
    convert: (id) => convert(node, id),
    enlarge: () => enlarge(node),
  };
}

function receive(update) {
  const node = nodeOf(update);
  const panel = panels.get(node);
  if (!panel) return;
  const merged = merge(panel.search, update);
  if (merged) accept(node, merged);
  else ask(`${ROOT}/${update.search}`).then((search) => search && accept(node, search));
}

function accept(node, search) {
  const panel = panels.get(node);
  const first = !panel.search;
  if (panel.search?.search !== search.search || search.result[0] === panel.chosen) panel.chosen = -1;
  panel.search = search;
  draw(node);
  if (first) grow(node);
}

// Asks for the searches of this workflow: after a reload, a new connection, another workflow.
async function catchUp() {
  const workflow = rootGraph()?.id;
  if (!workflow) return;
  const answer = await ask(`${ROOT}?workflow=${encodeURIComponent(workflow)}`);
  for (const search of answer?.searches ?? []) {
    const node = nodeOf(search);
    if (panels.has(node)) accept(node, search);
  }
}

function draw(node) {
  const { search, chosen, views } = panels.get(node);
  const replaying = Boolean(recipeWidget(node)?.value);
  for (const view of views) view.show(search, { chosen, replaying, canConvert: node.comfyClass === "NoiseSearch" });
}

function grow(node) {
  const [width, height] = node.size;
  node.setSize([width, Math.max(height, node.computeSize()[1])]);
  app.graph?.setDirtyCanvas(true, true);
}

// Fills the recipe in: the next queueing makes that one picture, and nothing is searched.
async function choose(node, id) {
  const panel = panels.get(node);
  const widget = recipeWidget(node);
  if (linked(node, "recipe")) return tell("warn", "recipe is connected to another node: disconnect it to choose by hand");
  const answer = await ask(`${ROOT}/${panel.search.search}/${id}/recipe`);
  if (!answer) return;
  if (panel.chosen < 0) panel.before = widget.value;
  setValue(widget, answer.recipe);
  panel.chosen = id;
  draw(node);
}

function unchoose(node) {
  const panel = panels.get(node);
  setValue(recipeWidget(node), panel.chosen < 0 ? "" : panel.before);
  panel.chosen = -1;
  draw(node);
}

function convert(node, id) {
  const { seed } = panels.get(node).search.candidates[id];
  const { lost } = plan(node, seed);
  const sampler = replace(node, seed, (type) => LiteGraph.createNode(type));
  app.canvas.selectNode?.(sampler);
  if (lost.length) tell("warn", `A KSampler has no ${lost.join(", ")}: what was connected there is not any more. Ctrl+Z brings the search back.`);
}

function enlarge(node) {
  const panel = panels.get(node);
  const dialog = Object.assign(document.createElement("dialog"), { className: "ns-dialog" });
  const view = createView({ ...actionsOf(node), close: () => dialog.close() }, { cell: 150, dialog: true });
  dialog.append(view.root);
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  dialog.addEventListener("close", () => { panel.views.delete(view); dialog.remove(); });
  document.body.append(dialog);
  panel.views.add(view);
  dialog.showModal();
  draw(node);
  view.grid.focus();
}

async function control(node, body) {
  const request = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  await ask(`${ROOT}/${panels.get(node).search.search}/control`, request);
}

// The answer as JSON, or undefined after telling why there is none.
async function ask(path, request) {
  const answer = await api.fetchApi(path, request).catch(() => null); // no connection: the page says so itself
  const body = await answer?.json().catch(() => null);
  if (answer?.ok) return body;
  if (answer && answer.status !== 409) tell("warn", body?.error ?? `The server answered ${answer.status}`); // 409: it was over already
}

async function copy(text, said) {
  if (!text) return;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not allowed on plain http
    const area = Object.assign(document.createElement("textarea"), { value: text });
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  tell("success", said);
}

const tell = (severity, summary) => app.extensionManager?.toast?.add({ severity, summary: "Noise Search", detail: summary, life: 5000 });
const rootGraph = () => app.rootGraph ?? app.graph;
const recipeWidget = (node) => node.widgets?.find(({ name }) => name === "recipe");
const linked = (node, name) => node.inputs.some((input) => input.name === name && input.link !== null && input.link !== undefined);

function setValue(widget, value) {
  widget.value = value;
  widget.callback?.(value);
}

// "10:2" is node 2 in the subgraph of node 10; undefined where the page shows another workflow.
function nodeOf({ workflow, node }) {
  if (rootGraph()?.id !== workflow) return undefined;
  let graph = rootGraph(), found;
  for (const id of node.split(":")) {
    found = graph?.getNodeById(id) ?? graph?.getNodeById(Number(id)) ?? undefined;
    graph = found?.subgraph;
  }
  return found;
}
