// Which searches a panel shows: js/panel/run.js.
import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY, shownOf, turned, withSearch } from "../../js/panel/run.js";

const search = (number, prompt_id = "p", more = {}) => ({ search: `s${number}`, number, prompt_id, mine: true, ...more });
const run = (...searches) => searches.reduce(withSearch, EMPTY);
const ids = ({ searches }) => searches.map((one) => one.number);

test("all searches of a list are there in its order, and the newest is in sight", () => {
  const list = run(search(1), search(3), search(2));
  assert.deepEqual(ids(list), [1, 2, 3]);
  assert.equal(shownOf(list).number, 3);
  assert.equal(shownOf(EMPTY), null);
});

test("a search that changes stays in its place", () => {
  const list = withSearch(run(search(1), search(2)), search(1, "p", { status: "done" }));
  assert.deepEqual([ids(list), list.searches[0].status, shownOf(list).number], [[1, 2], "done", 2]);
});

test("who looks back stays there while the list goes on", () => {
  const back = turned(run(search(1), search(2), search(3)), -1);
  assert.equal(shownOf(withSearch(back, search(4))).number, 2);
  assert.equal(shownOf(turned(back, -9)).number, 1);
  assert.equal(shownOf(turned(back, 9)).number, 3);
});

test("the next run takes the place of all, and an older one of none", () => {
  assert.deepEqual(ids(withSearch(run(search(1), search(2)), search(3, "q"))), [3]);
  assert.deepEqual(ids(withSearch(run(search(4, "q")), search(2))), [4]);
  assert.deepEqual(ids(withSearch(run(search(4, "q", { mine: false })), search(2))), [2], "the page's own goes first");
});
