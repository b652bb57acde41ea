// What the pack's widgets ask of the page and of the server.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";

// The answer as JSON, or undefined after telling why there is none. over: what to say where it was over already; from: who says so.
export async function ask(path, request, { over = "", from } = {}) {
  const answer = await api.fetchApi(path, request).catch(() => null); // no connection: the page says so itself
  const body = await answer?.json().catch(() => null);
  if (answer?.ok) return body;
  const why = answer?.status === 409 ? over : body?.error ?? `The server answered ${answer?.status}`;
  if (answer && why) tell("warn", why, from);
}

export const send = (path, body, say) => ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }, say);

export const tell = (severity, detail, from = "Noise Search") => app.extensionManager?.toast?.add({ severity, summary: from, detail, life: 5000 });

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

export const rootGraph = () => app.rootGraph ?? app.graph;

// "10:2" is node 2 in the subgraph of node 10; undefined where the page shows another workflow.
export function nodeOf({ workflow, node }) {
  if (rootGraph()?.id !== workflow) return undefined;
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
