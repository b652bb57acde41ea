// What the pack's widgets ask of the page and of the server.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { say } from "../words.js";

const SETTLED = 200; // milliseconds in which no node changes its size
const PATIENCE = 10; // times that
const PACK = "/noise_search/";
const NO_ID = "00000000-0000-0000-0000-000000000000"; // nodes/host/graph/upstream.py

// An address of this pack, asked as this page: the server answers with what the page queued.
export const asPage = (path) => (path.startsWith(PACK) ? `${path}${path.includes("?") ? "&" : "?"}page=${encodeURIComponent(pageId())}` : path);

// ComfyUI's name of the page, which a reload keeps; before it is connected again, the window bears it.
export const pageId = () => api.clientId || window.name;

// The answer as JSON, or undefined after telling why there is none. over: what to say where it was over already; from: who says so.
export async function ask(path, request, { over = "", from } = {}) {
  const answer = await api.fetchApi(asPage(path), request).catch(() => null); // no connection: the page says so itself
  const body = await answer?.json().catch(() => null);
  if (answer?.ok) return body;
  const why = answer?.status === 409 ? over : body?.error ?? say("The server answered {status}", { status: answer?.status });
  if (answer && why) tell("warn", why, from);
}

export const send = (path, body, say) => ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }, say);

export const tell = (severity, detail, from = say("Noise Search")) => app.extensionManager?.toast?.add({ severity, summary: from, detail, life: 5000 });

export async function copy(text, said) {
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

// Changes the graph in one step for Ctrl+Z, which ends when the page has laid the nodes out: Nodes 2.0 gives them other sizes then.
export function asOneStep(change) {
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  tracker?.beforeChange();
  try {
    return change();
  } finally {
    whenSettled(() => tracker?.afterChange());
  }
}

function whenSettled(act) {
  const sizes = () => JSON.stringify(app.canvas?.graph?.nodes.map(({ size }) => [...size]));
  let before = sizes(), left = PATIENCE;
  const look = () => {
    const now = sizes();
    if (now === before || !left--) return act();
    before = now;
    setTimeout(look, SETTLED);
  };
  setTimeout(look, SETTLED);
}

// Selects a node and moves the view to it.
export function show(node) {
  app.canvas.selectNode?.(node);
  app.canvas.centerOnNode?.(node);
  return node;
}

export const rootGraph = () => app.rootGraph ?? app.graph;

// The id of the workflow on screen; "" where it has none.
export const workflowId = () => (rootGraph()?.id === NO_ID ? "" : rootGraph()?.id ?? "");

// A graph that came without an id gets one: what runs in it is found again by it.
export function giveId() {
  const graph = rootGraph();
  if (graph?.id === NO_ID) graph.id = newId();
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is missing on plain http
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-4$3-8$4-$5");
}

export function* nodesIn(graph) {
  for (const node of graph?.nodes ?? []) {
    yield node;
    if (node.subgraph) yield* nodesIn(node.subgraph);
  }
}

// [node, panel] of every node of the page that has one. panels: a WeakMap by node.
export const withPanels = (panels) => [...nodesIn(rootGraph())].filter((node) => panels.has(node)).map((node) => [node, panels.get(node)]);

// "10:2" is node 2 in the subgraph of node 10; undefined where the page shows another workflow.
export function nodeOf({ workflow, node }) {
  if (workflowId() !== workflow) return undefined;
  let graph = rootGraph(), found;
  for (const id of node.split(":")) {
    found = graph?.getNodeById(id) ?? graph?.getNodeById(Number(id)) ?? undefined;
    graph = found?.subgraph;
  }
  return found;
}

// A dialog over the page, which lets none of its keys through. The element.
export function openDialog(content, closed = () => {}) {
  const dialog = Object.assign(document.createElement("dialog"), { className: "ns-dialog" });
  dialog.append(content);
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  dialog.addEventListener("close", () => { closed(); dialog.remove(); });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
