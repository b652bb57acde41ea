// The grid of Seed Sheet: in its node and large. What it shows comes with the node's output.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { copy, giveId, nodeOf, openDialog, withPanels, workflowId } from "./panel/page.js";
import { fold, keepLow } from "./panel/rows.js";
import { widgetOf } from "./panel/wiring.js";
import { openLook } from "./sheet/look.js";
import { labelsText, lastOf } from "./sheet/table.js";
import { createView } from "./sheet/view.js";
import { say } from "./words.js";

const [IDLE_HEIGHT, HEIGHT, WIDTH, RUNS] = [56, 460, 460, 16];
const panels = new WeakMap(); // node -> { sheet, held, views }

app.registerExtension({
  name: "noise_search.seed_sheet",
  setup() {
    document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("./sheet/sheet.css", import.meta.url).href }));
  },
  nodeCreated(node) {
    if (node.comfyClass !== "SeedSheet") return;
    giveId();
    addView(node);
  },
  afterConfigureGraph: () => restore(),
});

function addView(node) {
  const panel = { sheet: null, held: -1, views: new Set() };
  panels.set(node, panel);
  const view = createView({ ...actionsOf(panel), enlarge: () => open(panel) });
  panel.views.add(view);
  const getMinHeight = () => (panel.sheet ? HEIGHT : IDLE_HEIGHT);
  const options = { serialize: false, hideOnZoom: false, margin: 6, getMinHeight, getValue: () => "", setValue: () => {} };
  const widget = node.addDOMWidget("noise_search_sheet", "NOISE_SEARCH_SHEET", view.root, options);
  widget.serialize = false; // options.serialize: the prompt; this: the saved workflow
  node.hideOutputImages = true; // the grid shows them: Nodes 2.0
  node.onDrawBackground = () => {}; // the same on the canvas
  for (const name of ["row_labels", "column_labels"]) keepLow(widgetOf(node, name));
  fold(node);
  node.setSize([Math.max(WIDTH, node.size[0]), node.computeSize()[1]]);
  const configured = node.onConfigure;
  node.onConfigure = function (...given) {
    const result = configured?.apply(this, given);
    fold(node); // what the workflow has set is to be seen
    return result;
  };
  const executed = node.onExecuted;
  node.onExecuted = function (output, ...more) {
    const [sheet] = output?.noise_search_sheet ?? [];
    if (sheet) take(node, sheet);
    return executed?.call(this, output, ...more);
  };
}

function take(node, sheet) {
  const panel = panels.get(node), first = !panel.sheet;
  Object.assign(panel, { sheet, held: -1 });
  if (first) node.setSize([node.size[0], Math.max(node.size[1], node.computeSize()[1])]);
  draw(panel);
  app.graph?.setDirtyCanvas(true, true);
}

function draw({ views, sheet, held }) {
  for (const view of views) view.show(sheet, held);
}

function actionsOf(panel) {
  const actions = {
    address: ({ filename, subfolder, type }) => api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`),
    look: (place) => openLook(panel.sheet, place, panel.held, { actions, closed: (left) => focus(panel, left) }),
    hold: (place) => {
      panel.held = panel.held === place ? -1 : place;
      draw(panel);
      return panel.held;
    },
    copySeed: (place) => copy(panel.sheet.cells[place].seed, say("The seed is copied")),
    copyLabels: (place) => copy(labelsText(panel.sheet, place), say("The labels are copied")),
  };
  return actions;
}

function focus({ views }, place) {
  for (const view of views) view.focus(place);
  [...views].at(-1).grid.focus({ preventScroll: true });
}

function open(panel) {
  const view = createView({ ...actionsOf(panel), close: () => dialog.close() }, { dialog: true, least: 150 });
  const dialog = openDialog(view.root, () => panel.views.delete(view));
  dialog.classList.add("nt-dialog");
  panel.views.add(view);
  draw(panel);
  view.grid.focus();
}

// After a reload or in another tab: the sheets of the last runs, as long as the server remembers them.
async function restore() {
  const empty = withPanels(panels).filter(([, { sheet }]) => !sheet), workflow = workflowId();
  if (!empty.length || !workflow) return;
  const history = await api.fetchApi(`/history?max_items=${RUNS}`).then((answer) => answer.json()).catch(() => ({}));
  for (const name of new Set(Object.values(history).flatMap(({ outputs }) => Object.keys(outputs ?? {})))) {
    const node = nodeOf({ workflow, node: name }), sheet = lastOf(history, workflow, name);
    if (sheet && panels.has(node) && !panels.get(node).sheet) take(node, sheet);
  }
}
