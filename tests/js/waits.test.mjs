// What a search says and does while it waits for the artist: js/panel/waits.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { offersOfMore } from "../../js/panel/more.js";
import { quick } from "../../js/panel/offers.js";
import { headline, isRunning, statusText } from "../../js/panel/search.js";
import { clicked, isWaiting, leaveText, pickText, pickTitle } from "../../js/panel/waits.js";

const candidate = (id, score) => ({ id, how: id ? "random" : "own seed", parents: [], cost: 1, values: [score], score, seed: String(id), finished: true, picture: true });
const search = (asked, more = {}) => ({ search: "s", mine: true, status: "waiting", stopped: "", columns: ["CLIP"], pictures: 3, used: 3, making: 0, result: [], pinned: [], kept: [],
                                        candidates: [1, 3, 2].map((score, id) => candidate(id, score)), asked: { most: 1, fallback: [1], seconds_left: null, ...asked }, ...more });

test("of one a click is the answer", () => {
  assert.deepEqual(clicked(search(), [], 2), { marks: [], sent: [2] });
  assert.equal(pickTitle(search()), "Pick one: what follows waits.");
});

test("of several clicks mark as many as may go on, and a second click takes one back", () => {
  const waits = search({ most: 2, fallback: [1, 2] });
  let marks = [];
  for (const id of [2, 0, 1]) ({ marks } = clicked(waits, marks, id));
  assert.deepEqual(marks, [2, 0]);
  assert.deepEqual(clicked(waits, marks, 2), { marks: [0], sent: null });
  assert.equal(pickTitle(waits), "Pick up to 2: what follows waits.");
});

test("it says what goes on where nobody picks, and when", () => {
  assert.match(pickText(search(), 65), /In 1:05 the best goes on\.$/);
  assert.match(pickText(search({ most: 3, fallback: [1, 2, 0] }), 5), /In 0:05 the best 3 go on\.$/);
  assert.match(pickText(search({ fallback: [0] }, { columns: [] }), 5), /In 0:05 the first goes on\.$/);
  assert.match(pickText(search(), null), /The run waits\.$/);
  assert.deepEqual([search(), search({}, { columns: [] })].map(leaveText), ["Use the best", "Use the first"]);
});

test("a search that waits is not over, and offers nothing else to go on with", () => {
  const waits = search();
  assert.ok(isWaiting(waits) && isRunning(waits));
  assert.equal(statusText(waits), "Waiting for your pick");
  assert.deepEqual(offersOfMore(waits, { replays: false, changed: false }), []);
  assert.ok(!quick(waits, 2, { starts: true }).some(({ act: [name] }) => ["use", "again", "vary"].includes(name)));
  assert.ok(!isWaiting(search({}, { status: "done" })));
});

test("what was picked is said to be the artist's, also where it is the best one or a second judge spoke", () => {
  const over = (result, more = {}) => search({}, { status: "done", stopped: "choice", asked: null, result, ...more });
  assert.deepEqual(headline(over([2])), ["Result 2", "+1 over your seed (1), picked by you"]);
  assert.deepEqual(headline(over([1], { accepted: { judge: "HPS", ids: [1, 2], scores: [5, 4] } })), ["Best 3", "+2 over your seed (1), picked by you"]);
  assert.deepEqual(headline(over([0])), ["Result 1", "your seed was picked by you"]);
  assert.deepEqual(headline(over([2, 0], { columns: [] })), ["You picked #3, #1", ""]);
});
