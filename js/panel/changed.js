// Tells which searches were made from something else than what is on the canvas now: a noise of theirs makes another picture then.
import { api } from "../../../scripts/api.js";
import { later } from "./dom.js";
import { graphNow } from "./elsewhere.js";
import { send, workflowId } from "./page.js";

const SOON = 600; // milliseconds: what changes the graph comes in bursts

// root: of the routes, wanted(): whether the page shows a search that may have been, tell(ids): a set of those that are.
// { look() }: asks now.
export function watchChanged({ root, wanted, tell }) {
  const look = async () => {
    if (!wanted()) return;
    const graph = await graphNow(); // only where it is wanted: some nodes do something when their graph is asked for
    const answer = graph && (await send(`${root}/changed`, { workflow: graph.workflow, prompt: graph.prompt }));
    if (answer && workflowId() === graph.workflow) tell(new Set(answer.changed));
  };
  api.addEventListener("graphChanged", later(look, SOON));
  return { look };
}
