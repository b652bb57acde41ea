// Shows the pictures of a finished search: the frontend keeps a node's last live preview in front of what it returned, and below the panel that waits for a pick.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { EVENTS } from "./messages.js";

app.registerExtension({
  name: "noise_search.results",
  setup() {
    api.addEventListener("executed", ({ detail }) => {
      if (!detail.output?.noise_search) return; // only search nodes send it: nodes/host/engine/outputs.py
      dropLivePreview(locator(String(detail.display_node ?? detail.node)));
    });
    api.addEventListener(EVENTS.update, ({ detail }) => { if (detail.status === "waiting") dropLivePreview(locator(detail.node)); });
  },
});

function dropLivePreview(id) {
  const pinia = document.getElementById("vue-app")?.__vue_app__?.config.globalProperties.$pinia;
  const previews = pinia?._s?.get("nodeOutput")?.nodePreviewImages; // what Nodes 2.0 watches; a change is seen only through it
  if (previews) {
    previews[id] = [];
    delete previews[id];
  }
  delete app.nodePreviewImages?.[id];
  app.graph?.setDirtyCanvas(true, true);
}

// "10:2", node 2 in the subgraph of node 10, is known to the frontend as "<id of that subgraph>:2".
function locator(executionId) {
  const path = executionId.split(":");
  const last = path.pop();
  let graph = app.rootGraph ?? app.graph;
  for (const id of path) graph = graph?.getNodeById(id)?.subgraph;
  return path.length && graph ? `${graph.id}:${last}` : last;
}
