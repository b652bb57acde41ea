// What a gallery of HumanPick shows and does: js/pick/state.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { about, bestOf, choiceOf, choiceText, clock, headline, hint, kindOf, layout, meaning, newer, rankOf, readChoice, several, shownMarks, toggled } from "../../js/pick/state.js";

const pick = (more = {}) => ({
  number: 1, version: 1, mine: true, status: "waiting", count: 4, roll: 0, picked: [], by: "artist", why: "", fallback: ["verifier", 1], scores: [0.1, 0.9, 0.3, 0.2],
  columns: ["clip", "looks"], values: [[1, 2], [3, 4], [5, 6], [7, 8]], sizes: Array(4).fill([64, 32]), frames: [1, 1, 81, 1], seeds: [], ...more,
});

test("pictures rank in the order of the clicks, and a second click takes one back", () => {
  let marks = [];
  for (const place of [2, 0, 3]) marks = toggled(marks, place);
  assert.deepEqual([2, 0, 3, 1].map((place) => rankOf(marks, place)), [1, 2, 3, 0]);
  marks = toggled(marks, 0);
  assert.deepEqual([2, 3, 0].map((place) => rankOf(marks, place)), [1, 2, 0]);
});

test("a late or repeated event never replaces what is newer", () => {
  const later = pick({ version: 3, status: "picked" }), next = pick({ number: 2 });
  assert.equal(newer(later, pick({ version: 2 })), later);
  assert.equal(newer(later, next), next);
  assert.equal(newer(next, later), next);
  assert.equal(newer(null, next), next);
});

test("of two turns of a loop that wait in one node, the other one is shown once one was answered", () => {
  const first = pick({ number: 1, prompt_id: "p" }), second = pick({ number: 2, prompt_id: "p" }), answered = { ...second, version: 2, status: "picked" };
  assert.equal(newer(first, second), second);
  assert.equal(newer(answered, first), first);
  assert.equal(newer(first, answered), first);
  assert.equal(newer(answered, { ...first, prompt_id: "before" }), answered);
});

test("a page that stays open over a restart of the server shows the galleries of the new one", () => {
  const [before, after] = [1_790_000_000_000, 1_790_000_060_000]; // servers count from the time of their start
  const old = pick({ pick: "old", number: before + 40, version: 9 });
  const first = pick({ pick: "new", number: after });
  assert.equal(newer(old, first), first);
  assert.equal(newer(first, old), first);
});

test("to be asked again empties the choice where it is typed: in the node, or in the subgraph that shows it", () => {
  const own = { name: "choice", value: "2" }, shown = { name: "which ones", value: "3, 1" };
  const inside = { inputNode: { id: -10 }, inputs: [{ name: "which ones" }], nodes: [], links: { 5: { origin_id: -10, origin_slot: 0 } } };
  const node = { graph: inside, inputs: [{ name: "images", link: 4 }, { name: "choice", link: null }], widgets: [own] };
  const holder = { subgraph: inside, inputs: [], widgets: [shown] }, root = { nodes: [holder], links: {} };
  holder.graph = root;
  inside.nodes.push(node);
  assert.equal(choiceOf(node, root), own);
  node.inputs[1].link = 5;
  assert.equal(choiceOf(node, root), shown);
  assert.equal(choiceOf(undefined, root), undefined);
});

test("a choice is written as the node reads it, and read back", () => {
  for (const [roll, picked, text] of [[0, [2, 0], "3, 1"], [2, [0], "roll 2: 1"]]) {
    assert.equal(choiceText(roll, picked), text);
    assert.deepEqual(readChoice(text), { roll, picked });
  }
  for (const none of ["", " ", undefined, "the red one", "roll 2:", "1.5"]) assert.equal(readChoice(none), null);
});

test("the head says at every moment what is going on, and whose decision it was", () => {
  assert.equal(headline(pick(), null), "Pick the best");
  assert.equal(headline(pick({ roll: 2 }), null), "Pick the best · roll 2");
  assert.equal(headline(pick({ status: "rolled" }), null), "Rolling again…");
  assert.equal(headline(pick({ status: "picked", picked: [2, 0] }), null), "You picked #3, #1");
  assert.equal(headline(pick({ status: "picked", picked: [1], by: "verifier", why: "timeout" }), null), "The verifier picked #2");
  assert.match(hint(pick({ status: "picked", picked: [1], by: "verifier", why: "timeout" }), [], null, null), /nobody answered in time/);
  assert.match(hint(pick(), [], null, 65), /In 1:05 the verifier's #2 goes on/);
  assert.match(hint(pick({ fallback: ["first", 0] }), [], null, 5), /In 0:05 the first, #1 goes on/);
  assert.match(hint(pick(), [], null, null), /The run waits/);
  assert.equal(headline(null, { roll: 2, picked: [0] }), "Fixed: #1 of roll 2");
});

test("after the answer its pictures stay marked until others are clicked, and a fixed choice shows only on its own roll", () => {
  const done = pick({ status: "picked", picked: [2, 0] });
  assert.deepEqual(shownMarks(done, [], null), [2, 0]);
  assert.deepEqual(shownMarks(done, [1], null), [1]);
  assert.deepEqual(shownMarks(done, [], { roll: 0, picked: [3] }), [3]);
  assert.deepEqual(shownMarks(done, [], { roll: 1, picked: [3] }), []);
  assert.deepEqual(shownMarks(pick(), [], null), []);
});

test("tiles are as large as fits without scrolling, and never too small to judge", () => {
  for (const [width, height, count, shape] of [[400, 400, 4, 1], [400, 450, 9, 1.5], [900, 500, 6, 0.6], [1200, 600, 4, 1], [400, 400, 1, 1]]) {
    const [columns, tile] = layout(width, height, count, shape, 6, 90);
    const rows = Math.ceil(count / columns);
    const [across, down] = [columns * tile + 6 * (columns - 1), rows * tile * shape + 6 * (rows - 1)];
    assert.ok(across <= width + 1e-9 && down <= height + 1e-9);
    assert.ok(Math.abs(across - width) < 1e-9 || Math.abs(down - height) < 1e-9, "they could not be larger in that many columns");
  }
  assert.deepEqual(layout(406, 406, 4, 1, 6, 90), [2, 200]);
  const [many, tile] = layout(400, 300, 100, 1, 6, 90);
  assert.ok(tile >= 90 && many * tile + 6 * (many - 1) <= 400 + 1e-9);
});

test("a picture tells its size, its score, every verifier's value and its seed", () => {
  assert.deepEqual(about(pick({ seeds: ["11", "12", "13", "14"] }), 1), ["#2 of 4", "64 × 32", "score 0.9", "clip 3", "looks 4", "seed 12"]);
  assert.equal(bestOf(pick()), 1);
  assert.equal(bestOf(pick({ scores: [] })), -1);
});

test("times and many pictures are said shortly, and keys mean the same in the grid and in the large view", () => {
  assert.deepEqual([0, 59.2, 3600, 3725].map(clock), ["0:00", "1:00", "1:00:00", "1:02:05"]);
  assert.equal(several([0, 1, 2, 3]), "4 pictures");
  assert.deepEqual([" ", "Enter", "z", "ArrowRight", "a"].map((key) => meaning(key, false)), ["mark", "use", "zoom", null, null]);
  assert.deepEqual([" ", "Enter", "ArrowRight", "ArrowLeft", "a"].map((key) => meaning(key, true)), ["mark", "use", "next", "previous", null]);
});

test("the tile of a video moves, and says how many frames it has", () => {
  assert.deepEqual([1, 2].map((place) => [kindOf(pick(), place, false), kindOf(pick(), place, true)]), [["small", "large"], ["moving", "moving"]]);
  assert.ok(about(pick(), 2).includes("81 frames") && !about(pick(), 1).some((line) => line.includes("frame")));
});
