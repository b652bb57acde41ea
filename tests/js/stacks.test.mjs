// The versions of one picture as one tile: js/panel/stacks.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { apartText, arranged, countText, hasStacks, isStacked, placeText, staying, turnText } from "../../js/panel/stacks.js";

// rows: [score, lineage, more] by id.
const search = (rows, more = {}) => ({ columns: ["CLIP"], status: "done", result: [], pinned: [], kept: [],
  candidates: rows.map(([score, lineage, rest], id) => ({ id, how: id ? "random" : "own seed", score, lineage, finished: true, ...rest })), ...more });
const shown = (found, { by = "best", apart = false, opened = [], stay = [] } = {}) => arranged(found, { by, apart, opened: new Set(opened), stay: new Set(stay) });
// Two pictures, refined (ids): 2 and 3 from 1, 5 from 4; 0 alone.
const refined = (more) => search([[3, 0], [5, 1], [9, 1], [7, 1], [4, 4], [8, 4]], more);

test("versions of one picture are one tile, the best of them on top, and stacks are sorted by it", () => {
  const { order, stacks } = shown(refined());
  assert.deepEqual(order, [2, 5, 0]);
  assert.deepEqual(stacks.get(2), { lineage: 1, top: 2, count: 3, open: false });
  assert.deepEqual([countText(stacks.get(2)), countText(stacks.get(5)), stacks.has(0)], ["3 versions", "2 versions", false]);
});

test("an open stack has its versions side by side where its best one would lie", () => {
  const { order, stacks } = shown(refined(), { opened: [4] });
  assert.deepEqual(order, [2, 5, 4, 0]);
  assert.deepEqual([stacks.get(4), stacks.get(5).open, stacks.get(2).open], [stacks.get(5), true, false]);
});

test("a picture in full takes the place of its draft and is no stack for that, whatever a judge thinks of the draft", () => {
  const draft = { finished: false }, found = search([[3, 0], [9, 1, draft], [2, 1], [8, 3, draft]]);
  const { order, stacks } = shown(found);
  assert.deepEqual(order, [0, 2, 3], "what was not made in full comes last");
  assert.equal(stacks.size, 0);
  assert.deepEqual(shown(found, { opened: [1], stay: [1] }).order, [0, 2, 1, 3], "looked at, it stays in sight");
  assert.deepEqual(shown(found, { apart: true }).order, [0, 2, 1, 3]);
});

test("previews of one picture are versions of it as long as nothing in full is there", () => {
  const preview = { finished: false }, rows = [[3, 0], [4, 1, preview], [6, 1, preview], [5, 1, preview]];
  assert.deepEqual([shown(search(rows)).order, shown(search(rows)).stacks.get(2).count], [[0, 2], 3]);
  const { order, stacks } = shown(search([...rows, [1, 1], [2, 1]]), { opened: [1] });
  assert.deepEqual([order, stacks.get(5).count], [[0, 5, 4], 2]);
});

test("what is chosen, held, looked at, used or kept stays in sight beside the best", () => {
  const found = refined({ result: [4], kept: [3] }), stay = staying({ search: found, chosen: 1, heldId: -1, marks: [], focused: -1 });
  assert.deepEqual(shown(found, { stay }).order, [2, 3, 1, 5, 4, 0]);
  assert.deepEqual([...staying({ search: refined(), chosen: -1, heldId: 3, marks: [0], focused: 4 })].filter((id) => id >= 0), [3, 0, 4, 2], "without a result the best so far");
});

test("a pinned picture lies in front of everything, out of its stack", () => {
  const { order, stacks } = shown(refined({ pinned: [2] }));
  assert.deepEqual(order, [2, 5, 3, 0]);
  assert.deepEqual([stacks.has(2), stacks.get(3).count], [false, 2]);
});

test("all are apart where the artist wants it, and newest first", () => {
  assert.deepEqual(shown(refined(), { apart: true }).order, [2, 5, 3, 1, 4, 0]);
  assert.deepEqual(shown(refined(), { by: "newest" }).order, [5, 4, 3, 2, 1, 0]);
  assert.deepEqual([isStacked(refined(), { by: "best", apart: false }), isStacked(refined(), { by: "newest", apart: false })], [true, false]);
  assert.match(apartText({ by: "best", apart: false }), /^Take the stacks apart/);
  assert.match(apartText({ by: "best", apart: true }), /^Stack/);
  assert.match(apartText({ by: "newest", apart: false }), /^Newest first/);
});

test("where nothing judges, or all goes back to one noise, there is no stack", () => {
  assert.equal(hasStacks(refined({ columns: [] })), false);
  assert.equal(hasStacks(search([[1, 0], [2, 0], [3, 0]])), false);
  assert.equal(hasStacks(search([[1, 0], [2, 1]])), false, "nothing to stack");
  assert.deepEqual(shown(search([[1, 0], [2, 0], [3, 0]])).order, [2, 1, 0]);
});

test("every tile of a stack says what it is, also to those who hear it", () => {
  const found = refined(), { stacks } = shown(found, { opened: [1] });
  assert.equal(placeText(found, stacks.get(2), 2), "best of 3 versions");
  assert.equal(placeText(found, stacks.get(3), 3), "version of #3");
  assert.equal(placeText(found, undefined, 0), "");
  assert.match(turnText({ open: true }), /^Put its versions back .*\(S\)/);
  assert.match(turnText({ open: false }), /^Show its versions .*\(S\)/);
});

test("thousands of pictures are arranged in a moment", () => {
  const found = search(Array.from({ length: 3000 }, (_, id) => [id * 7919 % 3001, id % 300]));
  const began = performance.now();
  assert.equal(shown(found).order.length, 300);
  assert.ok(performance.now() - began < 100);
});
