// Which searches a panel shows: js/panel/run.js.
import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY, leafed, opened, placeOf, searchesIn, shownOf, turned, withSearch } from "../../js/panel/run.js";

const search = (number, prompt_id = "p", more = {}) => ({ search: `s${number}`, number, prompt_id, mine: true, ...more });
const run = (...searches) => searches.reduce(withSearch, EMPTY);
const ids = (state) => searchesIn(state).map((one) => one.number);

test("all searches of a list are there in its order, and the newest is in sight", () => {
  const list = run(search(1), search(3), search(2));
  assert.deepEqual(ids(list), [1, 2, 3]);
  assert.equal(shownOf(list).number, 3);
  assert.deepEqual(placeOf(list), { place: [3, 3], others: [0, 0] });
  assert.equal(shownOf(EMPTY), null);
});

test("a search that changes stays in its place", () => {
  const list = withSearch(run(search(1), search(2)), search(1, "p", { status: "done" }));
  assert.deepEqual([ids(list), searchesIn(list)[0].status, shownOf(list).number], [[1, 2], "done", 2]);
});

test("who looks back stays there while the list goes on", () => {
  const back = turned(run(search(1), search(2), search(3)), -1);
  assert.equal(shownOf(withSearch(back, search(4))).number, 2);
  assert.equal(shownOf(turned(back, -9)).number, 1);
  assert.equal(shownOf(turned(back, 9)).number, 3);
});

test("the next run is shown as it begins, and those before stay behind it", () => {
  const three = run(search(1), search(2), search(3, "q"), search(4, "r"));
  assert.equal(shownOf(three).number, 4);
  assert.deepEqual(placeOf(three), { place: [1, 1], others: [2, 0] });
  const first = leafed(three, -2);
  assert.equal(shownOf(first).number, 2, "the last one of its list");
  assert.deepEqual(placeOf(first).others, [0, 2]);
  assert.equal(shownOf(leafed(first, 9)).number, 4);
  assert.equal(shownOf(withSearch(first, search(5, "s"))).number, 5, "also where one looks at an earlier one");
  assert.equal(shownOf(withSearch(first, search(3, "q", { status: "done" }))).number, 2, "what an earlier one still tells moves nothing");
});

test("an older run goes before, and is not shown", () => {
  const both = run(search(4, "q"), search(2));
  assert.deepEqual([ids(both), shownOf(both).number], [[2, 4], 4]);
  assert.deepEqual(ids(run(search(4, "q", { mine: false }), search(2))), [2], "the page's own goes first");
  assert.deepEqual(ids(run(search(2), search(4, "q", { mine: false }))), [2]);
});

test("so many runs stay as the server keeps", () => {
  const many = run(...Array.from({ length: 20 }, (_, number) => search(number, `p${number}`)));
  assert.deepEqual([searchesIn(many).length, ids(many)[0], shownOf(many).number], [16, 4, 19]);
  assert.equal(withSearch(many, search(0, "p0")), many, "one that is too old");
  const looked = leafed(many, -3);
  assert.equal(shownOf(withSearch(looked, search(3, "old"))).number, 16);
});

test("a search is opened by its id", () => {
  const three = run(search(1), search(2), search(3, "q"));
  assert.equal(shownOf(opened(three, "s1")).number, 1);
  assert.equal(opened(three, "s9"), three);
});
