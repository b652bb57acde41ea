// What a gallery needs of the host's page: its server, its graph, its messages.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";

export const tell = (detail) => app.extensionManager?.toast?.add({ severity: "warn", summary: "Human Pick", detail, life: 5000 });

// The answer as JSON, or undefined after telling why there is none.
export async function ask(path, body) {
  const request = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const reply = await api.fetchApi(path, request).catch(() => null); // no connection: the page says so itself
  const found = await reply?.json().catch(() => null);
  if (reply?.ok) return found;
  if (reply) tell(reply.status === 409 ? "It was answered already, in another window." : (found?.error ?? `The server answered ${reply.status}`));
}

export function* nodesIn(graph) {
  for (const node of graph?.nodes ?? []) {
    yield node;
    if (node.subgraph) yield* nodesIn(node.subgraph);
  }
}

// Large enough, and at least a third of it, to be noticed.
export function isInSight(element) {
  const { left, top, right, bottom, width, height } = element.getBoundingClientRect();
  const across = Math.min(right, innerWidth) - Math.max(left, 0), down = Math.min(bottom, innerHeight) - Math.max(top, 0);
  return element.checkVisibility() && width > 160 && across > 0 && down > 0 && across * down > (width * height) / 3;
}
