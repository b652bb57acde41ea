// Recipes that came with a workflow find their widgets: js/panel/fill.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { placesOf, takeOut } from "../../js/panel/fill.js";

const search = (id, graph, { link = null, name = "recipe" } = {}) => ({
  id, graph, inputs: [{ name: "model", link: 1 }, { name, link }], widgets: [{ name: "seed", value: 5 }, { name, value: "" }],
});

function graphOf(...nodes) {
  const graph = { nodes, links: {}, inputs: [], inputNode: { id: -10 }, extra: {}, getNodeById: (id) => graph.nodes.find((node) => node.id === id) };
  for (const node of nodes) node.graph = graph;
  return graph;
}

// Two holders of one subgraph, which shows the recipe of its search as an input of its own where `shown` is a name.
function withSubgraph(shown) {
  const inner = graphOf(search(2));
  if (shown) {
    inner.inputs = [{ name: "model" }, { name: shown }];
    inner.links[7] = { origin_id: -10, origin_slot: 1 };
    inner.nodes[0].inputs[1].link = 7;
  }
  const holder = (id) => ({ id, subgraph: inner, inputs: [{ name: shown ?? "other", link: null }], widgets: shown ? [{ name: shown, value: "" }] : [] });
  return { root: graphOf(holder(10), holder(11)), inner };
}

const filled = (root, recipes) => placesOf(root, recipes).map(({ widget, texts }) => [widget, texts]);

test("a search gets its recipe, by the name of the widget wherever that stands", () => {
  const root = graphOf(search(2), search(3, null, { name: "choice" }));
  assert.deepEqual(filled(root, { 2: "found", 3: "3, 1", 4: "of no node" }), [[root.nodes[0].widgets[1], ["found"]], [root.nodes[1].widgets[1], ["3, 1"]]]);
});

test("a recipe that another node gives stays that node's", () => {
  const root = graphOf(search(2, null, { link: 7 }));
  root.links[7] = { origin_id: 5, origin_slot: 0 };
  assert.deepEqual(placesOf(root, { 2: "found" }), []);
});

test("a search inside a subgraph gets it there; copies that found different ones search again", () => {
  const { root, inner } = withSubgraph();
  const widget = inner.nodes[0].widgets[1];
  assert.deepEqual(filled(root, { "10:2": "a" }), [[widget, ["a"]]]);
  assert.deepEqual(filled(root, { "10:2": "a", "11:2": "a" }), [[widget, ["a"]]]);
  assert.deepEqual(filled(root, { "10:2": "a", "11:2": "b" }), [[widget, [""]]]);
});

test("a recipe that the subgraph shows as its own is filled in at each holder", () => {
  const { root } = withSubgraph("its recipe");
  assert.deepEqual(filled(root, { "10:2": "a", "11:2": "b" }), root.nodes.map(({ widgets }, place) => [widgets[0], ["ab"[place]]]));
});

test("several of a list are asked about", () => {
  const root = graphOf(search(2));
  assert.deepEqual(filled(root, { 2: ["a", "b"] }), [[root.nodes[0].widgets[1], ["a", "b"]]]);
});

test("what came is taken out of the workflow, so that it is not saved with another picture", () => {
  const root = { extra: { ds: 1, noise_search: { recipes: { 2: "found" } } } };
  assert.deepEqual(takeOut(root), { 2: "found" });
  assert.deepEqual(root.extra, { ds: 1 });
  for (const odd of [undefined, {}, { extra: null }, { extra: { noise_search: 5 } }, { extra: { noise_search: { recipes: 5 } } }]) assert.deepEqual(takeOut(odd), {});
});

test("a strange recipe is left alone", () => {
  const root = graphOf(search(2));
  for (const odd of [5, null, [], [5], ""]) assert.deepEqual(placesOf(root, { 2: odd }), []);
});
