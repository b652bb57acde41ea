// The sheet of a Seed Sheet: what is where, what is known of it, where keys go.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FIELDS } from "../../js/messages.js";
import { about, honours, labelsText, lastOf, namesOf, neighbour, rowsOf, shapeOf } from "../../js/sheet/table.js";

const strict = (kind, values) => new Proxy(values, {
  get(target, name) {
    if (typeof name === "string" && !FIELDS[kind].includes(name) && name !== "toJSON") throw new Error(`${kind} has no ${name}`);
    return target[name];
  },
});
const cell = (more = {}) => strict("cell", { small: {}, large: {}, size: [64, 48], frames: 1, seed: "", score: null, best: [], ...more });
const sheet = (more = {}) => strict("sheet", { title: "", across: 3, rows: ["a fox", "an owl"], columns: ["1", "2", "3"], cells: Array.from({ length: 6 }, () => cell()), ...more });

test("a picture is known by the labels of its row and column, or by where it is", () => {
  assert.deepEqual(namesOf(sheet(), 4), ["an owl", "2"]);
  assert.deepEqual(namesOf(sheet({ rows: [], columns: [] }), 4), ["row 2", "column 2"]);
  assert.equal(labelsText(sheet(), 5), "an owl\n3");
  assert.equal(rowsOf(sheet()), 2);
});

test("what is known of a picture names its score, what it is best of, and a seed that is no label", () => {
  const cells = Array.from({ length: 6 }, (_, place) => cell({ seed: String(place % 3 + 1), score: place / 7, best: place === 5 ? ["all", "row"] : [] }));
  assert.deepEqual(about(sheet({ cells }), 5), ["an owl", "3", "64 × 48", "score 0.7143", "best of all", "best of its row"]);
  assert.deepEqual(about(sheet({ cells, columns: ["x", "y", "z"] }), 1).at(-1), "seed 2");
  assert.deepEqual(about(sheet({ cells: [cell({ frames: 16 })], across: 1 }), 0).at(-1), "16 frames");
  assert.deepEqual(honours(cell({ best: ["column"] })), ["best of its column"]);
});

test("arrow keys go to neighbours and stop at the edges of the sheet", () => {
  const went = (place, ...keys) => keys.reduce((at, key) => neighbour(sheet(), at, key), place);
  assert.equal(went(0, "ArrowRight", "ArrowDown"), 4);
  assert.equal(went(2, "ArrowRight"), 2, "not to the next row");
  assert.equal(went(3, "ArrowLeft"), 3);
  assert.equal(went(1, "ArrowUp"), 1);
  assert.equal(went(4, "Home"), 0);
  assert.equal(went(1, "End"), 5);
  assert.equal(neighbour(sheet(), 1, "x"), null);
});

test("a cell is as high as the highest shape asks for", () => {
  assert.equal(shapeOf(sheet({ cells: [cell({ size: [100, 50] }), cell({ size: [50, 100] })] })), 2);
});

test("the last sheet of a workflow's node is found in what the server remembers", () => {
  const run = (workflow, title) => ({ prompt: [0, "p", {}, { extra_pnginfo: { workflow: { id: workflow } } }], outputs: { 9: { noise_search_sheet: [{ title }] } } });
  const history = { a: run("w", "old"), b: run("w", "new"), c: run("other", "no"), d: { prompt: [0, "q", {}, {}], outputs: {} } };
  assert.equal(lastOf(history, "w", "9").title, "new");
  assert.equal(lastOf(history, "w", "8"), null);
  assert.equal(lastOf({}, "w", "9"), null);
});
