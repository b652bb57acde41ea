// The nodes that begin a search at a found noise: js/panel/start.js, js/panel/wiring.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { canStart, goOn, isVarying, refine, stopVarying, vary } from "../../js/panel/start.js";
import { freePlace, originOf, typedInto, widgetOf } from "../../js/panel/wiring.js";

const SEARCH = { inputs: ["verifier", "noise", "recipe"], widgets: { seed: 7, pictures: 8, recipe: "old" }, outputs: ["LATENT", "IMAGE"] };
const TYPES = {
  NoiseSearch: { ...SEARCH, inputs: ["model", ...SEARCH.inputs], widgets: { ...SEARCH.widgets, steps: 25 } },
  ZeroOrderSearch: { ...SEARCH, inputs: ["sampling", ...SEARCH.inputs], widgets: { ...SEARCH.widgets, recipe: "", pictures: 1 } },
  RefineSearch: { ...SEARCH, inputs: ["sampling", "latent", ...SEARCH.inputs], widgets: { ...SEARCH.widgets, recipe: "", children: 2, depth: 0.5 } },
  SamplingSetup: { inputs: ["model"], widgets: { steps: 20 }, outputs: ["sampling"] },
  NoiseVariations: { inputs: ["noise"], widgets: { seed: 0, count: 4, similarity: 0.5, include_source: false }, outputs: ["NOISE"] },
  NoiseFromRecipe: { inputs: ["noise", "region"], widgets: { recipe: "" }, outputs: ["NOISE"] },
  Other: { inputs: ["in"], widgets: {}, outputs: ["out"] },
};

// As much of a graph as is used: nodes, links by id, connect and remove.
class Graph {
  nodes = [];
  links = {};
  next = 1;
  add(node) { Object.assign(node, { graph: this, id: this.next++ }); this.nodes.push(node); }
  getNodeById(id) { return this.nodes.find((node) => node.id === id); }
  remove(node) {
    node.inputs.forEach((_, place) => node.disconnectInput(place));
    for (const id of node.outputs.flatMap(({ links }) => [...links])) this.cut(id);
    this.nodes.splice(this.nodes.indexOf(node), 1);
    node.graph = null;
  }
  cut(id) {
    const { origin_id, origin_slot, target_id, target_slot } = this.links[id];
    this.getNodeById(target_id).inputs[target_slot].link = null;
    const { links } = this.getNodeById(origin_id).outputs[origin_slot];
    links.splice(links.indexOf(id), 1);
    delete this.links[id];
  }
  beforeChange() {}
  afterChange() {}
}

function create(type) {
  const { inputs, widgets, outputs } = TYPES[type];
  return {
    type, title: type, pos: [0, 0], size: [200, 100], properties: {}, inputs: inputs.map((name) => ({ name, link: null })),
    widgets: Object.entries(widgets).map(([name, value]) => ({ name, value })), outputs: outputs.map((name) => ({ name, links: [] })),
    connect(from, target, to) {
      target.disconnectInput(to);
      const id = this.graph.next++;
      this.graph.links[id] = { origin_id: this.id, origin_slot: from, target_id: target.id, target_slot: to };
      this.outputs[from].links.push(id);
      target.inputs[to].link = id;
    },
    disconnectInput(place) { if (this.inputs[place].link !== null) this.graph.cut(this.inputs[place].link); },
  };
}

function put(graph, type) {
  const node = create(type);
  graph.add(node);
  return node;
}

const value = (node, name) => widgetOf(node, name).value;
const types = (graph) => graph.nodes.map(({ type }) => type).sort();

test("variations begin at the found noise and fill the budget", () => {
  const graph = new Graph(), node = put(graph, "NoiseSearch");
  assert.equal(vary(node, "found", 0.95, 8, create), "");
  const varied = originOf(node, "noise"), source = originOf(varied, "noise");
  assert.deepEqual([varied.type, source.type], ["NoiseVariations", "NoiseFromRecipe"]);
  assert.deepEqual(varied.widgets.map((widget) => widget.value), [7, 8, 0.95, true]);
  assert.equal(value(source, "recipe"), "found");
  assert.equal(isVarying(node), true);
});

test("asked again for the same they are others, asked for others the same nodes make them", () => {
  const graph = new Graph(), node = put(graph, "NoiseSearch");
  vary(node, "found", 0.95, 8, create);
  vary(node, "found", 0.95, 8, create);
  assert.equal(value(originOf(node, "noise"), "seed"), 8);
  vary(node, "another", 0.8, 8, create);
  assert.equal(value(originOf(node, "noise"), "seed"), 7);
  assert.deepEqual(types(graph), ["NoiseFromRecipe", "NoiseSearch", "NoiseVariations"]);
});

test("what was connected to noise is named, feeds the recipe, and comes back on release", () => {
  const graph = new Graph(), node = put(graph, "NoiseSearch"), other = put(graph, "Other");
  other.connect(0, node, 2);
  assert.equal(vary(node, "found", 0.95, 8, create), "Other");
  assert.equal(originOf(originOf(originOf(node, "noise"), "noise"), "noise"), other);
  stopVarying(node);
  assert.equal(originOf(node, "noise"), other);
  assert.deepEqual(types(graph), ["NoiseSearch", "Other"]);
});

test("nodes that the artist put there are never taken for ours", () => {
  const graph = new Graph(), node = put(graph, "NoiseSearch"), own = put(graph, "NoiseVariations");
  own.connect(0, node, 2);
  assert.equal(isVarying(node), false);
  stopVarying(node);
  assert.equal(originOf(node, "noise"), own);
});

test("another search gets the same setup, verifier and budget, begins at the noise, and feeds what the first one fed", () => {
  const graph = new Graph(), node = put(graph, "NoiseSearch"), model = put(graph, "Other"), judge = put(graph, "Other"), end = put(graph, "Other");
  model.connect(0, node, 0);
  judge.connect(0, node, 1);
  node.connect(1, end, 0);
  const next = goOn(node, "ZeroOrderSearch", "found", create);
  const setup = originOf(next, "sampling");
  assert.deepEqual([setup.type, originOf(setup, "model"), value(setup, "steps")], ["SamplingSetup", model, 25]);
  assert.equal(originOf(next, "verifier"), judge);
  assert.equal(value(originOf(next, "noise"), "recipe"), "found");
  assert.deepEqual([value(next, "pictures"), value(next, "recipe")], [8, ""]);
  assert.equal(originOf(end, "in"), next);
  assert.deepEqual(graph.getNodeById(node.id), node, "the first search stays to be looked through");
});

test("versions of a refined picture are made from the picture, by one Refine Search however often they are asked for", () => {
  const graph = new Graph(), node = put(graph, "NoiseSearch"), end = put(graph, "Other");
  node.connect(1, end, 0);
  const next = refine(node, { depth: 0.3, count: 8 }, create);
  assert.deepEqual([originOf(next, "latent"), originOf(next, "noise"), originOf(end, "in")], [node, undefined, next]);
  assert.deepEqual(["depth", "children", "pictures", "seed", "recipe"].map((name) => value(next, name)), [0.3, 8, 3, 7, ""]);
  assert.equal(refine(node, { depth: 0.6, count: 8 }, create), next);
  assert.deepEqual(["depth", "pictures", "seed"].map((name) => value(next, name)), [0.6, 5, 8]);
  assert.equal(graph.nodes.filter(({ type }) => type === "RefineSearch").length, 1);
});

test("a Refine Search that goes on from a picture has its own schedule, and is not taken for one that makes versions", () => {
  const graph = new Graph(), node = put(graph, "NoiseSearch");
  const next = refine(node, {}, create);
  assert.deepEqual([value(next, "children"), value(next, "depth"), value(next, "pictures")], [2, 0.5, 8]);
  assert.notEqual(refine(node, { depth: 0.3, count: 4 }, create), next);
});

test("a node that begins with a picture takes no noise", () => {
  const input = (name, link = null) => ({ name, link });
  assert.equal(canStart({ inputs: [input("noise")] }), true);
  assert.equal(canStart({ inputs: [input("noise"), input("image")] }), true);
  assert.equal(canStart({ inputs: [] }), false);
  const graph = new Graph(), node = put(graph, "Other");
  assert.equal(canStart({ ...node, inputs: [input("noise"), input("latent", 5)] }), false);
});

test("a value is typed into the node, or into the one subgraph that shows it, and nowhere where another node gives it", () => {
  const root = new Graph(), inside = new Graph(), node = put(inside, "NoiseSearch"), holder = put(root, "Other");
  assert.equal(typedInto(node, "recipe", root), widgetOf(node, "recipe"));
  Object.assign(inside, { inputNode: { id: -10 }, inputs: [{ name: "its recipe" }], links: { 5: { id: 5, origin_id: -10, origin_slot: 0 } } });
  node.inputs.find(({ name }) => name === "recipe").link = 5;
  assert.equal(typedInto(node, "recipe", root), undefined, "nothing shows it");
  const shown = { name: "its recipe", value: "" };
  Object.assign(holder, { subgraph: inside, widgets: [shown] });
  assert.equal(typedInto(node, "recipe", root), shown);
  inside.links[5].origin_id = 3;
  assert.equal(typedInto(node, "recipe", root), undefined, "another node gives it");
});

test("a new node lies on no other", () => {
  assert.deepEqual(freePlace([], [10, 20], [50, 50]), [10, 20]);
  assert.deepEqual(freePlace([[0, 0, 100, 100], [0, 150, 100, 100]], [10, 20], [50, 50], 10), [10, 260]);
  assert.deepEqual(freePlace([[0, 0, 100, 100]], [500, 20], [50, 50]), [500, 20]);
});
