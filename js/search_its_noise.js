// "Search its noise": puts a search in the place of a sampler, from the node's menu, from the toolbox above a selected node, or for a whole workflow.
import { app } from "../../scripts/app.js";
import { asOneStep, rootGraph, show, tell } from "./panel/page.js";
import { HEIGHT, IDLE_HEIGHT } from "./panel/sizes.js";
import { widgetOf } from "./panel/wiring.js";
import { searchNoise } from "./swap/all.js";
import { samplersIn } from "./swap/plan.js";
import { say, sayCount } from "./words.js";

const ONE = "noise_search.search_its_noise";
const EVERY = "noise_search.search_workflow";

app.registerExtension({
  name: "noise_search.search_its_noise",
  commands: [
    { id: ONE, label: () => say("Search its noise"), icon: "pi pi-sparkles", function: () => search([...app.canvas.selectedItems].filter(hasSampler)) },
    { id: EVERY, label: () => say("Search the noise of this workflow"), icon: "pi pi-sparkles", function: () => search(rootGraph().nodes) },
  ],
  menuCommands: [{ path: ["Edit"], commands: [EVERY] }],
  getNodeMenuItems: (node) => (hasSampler(node) ? [{ content: say("Search its noise"), callback: () => search([node]) }] : []),
  getSelectionToolboxCommands: (item) => (hasSampler(item) ? [ONE] : []),
});

const hasSampler = (item) => Boolean(item?.inputs) && samplersIn([item]).length > 0;

// A node in the size that it keeps: another one later would be another step for Ctrl+Z. The panel will have pictures, and Nodes 2.0 has whole pixels.
function create(type) {
  const node = LiteGraph.createNode(type);
  const [width, height] = node.size;
  node.setSize([Math.ceil(width), Math.ceil(widgetOf(node, "noise_search_panel") ? node.computeSize()[1] + HEIGHT - IDLE_HEIGHT : height)]);
  return node;
}

function search(nodes) {
  const { made, refused, notes } = asOneStep(() => searchNoise(nodes, create, rootGraph()));
  const here = made.find(({ graph }) => graph === app.canvas.graph);
  if (here) show(here);
  for (const said of refused) tell("warn", said);
  for (const note of notes) tell("info", note);
  if (made.length) tell("success", done(made));
  else if (!refused.length) tell("warn", say("There is no sampler in this workflow whose noise could be searched."));
}

function done(made) {
  const what = sayCount(made.length, "{node} is in its place", "{count} searches are in the places of samplers", { node: made[0].title });
  return say("{what}. Run tries several noises, and you choose; connect a verifier to have them judged. Ctrl+Z takes it back.", { what });
}
