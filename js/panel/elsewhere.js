// What other pages queued, or a script did: it is shown where the graph is the same, and steered once it is taken over.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { EVENTS } from "../messages.js";
import { later } from "./dom.js";
import { nodeOf, send, workflowId } from "./page.js";

const SOON = 400; // milliseconds: what changes the graph comes in bursts

// root: of the routes, list: what they call what they answer, concerns(node): whether the page would show it there, show(found).
// { found(nodes) }: these nodes have something elsewhere, as the server says.
export function watchElsewhere({ root, list, concerns, show }) {
  let nodes = new Set();
  const look = async () => {
    const workflow = workflowId();
    if (![...nodes].some((node) => concerns(nodeOf({ workflow, node })))) return;
    const graph = await graphNow(); // only now: some nodes do something when their graph is asked for
    const answer = graph && (await send(`${root}/elsewhere`, graph));
    if (answer && workflowId() === graph.workflow) show(answer[list]);
  };
  const soon = later(look, SOON);
  api.addEventListener(EVENTS.elsewhere, ({ detail }) => { nodes.add(detail.node); soon(); });
  api.addEventListener("graphChanged", () => { if (nodes.size) soon(); });
  return { found: (names) => { nodes = new Set(names); if (nodes.size) soon(); } };
}

// Has this page steer it. What the server says of it then, or undefined after telling why not.
export async function takeOver(address, say) {
  const graph = await graphNow();
  return graph && send(`${address}/take`, { workflow: graph.workflow, prompt: graph.prompt }, say);
}

// The graph on screen as it would be queued, and which workflows are open: what this page queued from one of those is shown there.
export async function graphNow() {
  const workflow = workflowId();
  const { output: prompt } = await app.graphToPrompt().catch(() => ({})); // a node that cannot say what it is: nothing is the same
  const open = (app.extensionManager?.workflow?.openWorkflows ?? []).map(({ activeState }) => activeState?.id);
  return prompt && workflow ? { workflow, prompt, open: open.filter((id) => id && id !== workflow) } : undefined;
}
