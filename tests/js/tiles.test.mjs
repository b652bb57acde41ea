// The round in the making as the page has it: js/panel/tiles.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FIELDS } from "../../js/messages.js";
import { merge } from "../../js/panel/search.js";
import { doingText, tileList, tilesOf, withTiles } from "../../js/panel/tiles.js";

const strict = (kind, values) => new Proxy(values, {
  get(target, name) {
    if (typeof name === "string" && !FIELDS[kind].includes(name)) throw new Error(`${kind} has no ${name}`);
    return target[name];
  },
});
const search = (more = {}) => ({ search: "s", version: 1, status: "running", columns: [], candidates: [], tiles: null, ...more });
const message = (more = {}) => strict("tiles", { search: "s", version: 1, what: "sampling", first: 0, count: 3, judged: 0, rows: [0, 1], step: 2, steps: 8, pictures: [], ...more });

test("previews come one by one and stay until the next round begins", () => {
  const shown = search();
  withTiles(shown, message({ pictures: [{ id: 0, picture: "a" }] }));
  withTiles(shown, message({ step: 3, pictures: [{ id: 1, picture: "b" }] }));
  withTiles(shown, message({ step: 4, pictures: [{ id: 0, picture: "c" }] }));
  assert.deepEqual(tileList(shown.tiles).map(({ picture }) => picture), ["c", "b", ""]);
  withTiles(shown, message({ first: 3 }));
  assert.deepEqual(tileList(shown.tiles).map(({ id, picture }) => [id, picture]), [[3, ""], [4, ""], [5, ""]]);
});

test("a tile says how far its own batch is", () => {
  const list = tileList(message());
  assert.deepEqual(list.map(({ now, share }) => [now, share]), [[true, 0.25], [true, 0.25], [false, 0]]);
  assert.deepEqual(tileList(message({ what: "loading", step: 0, steps: 0 })).map(({ share }) => share), [0, 0, 0]);
});

test("what is judged elsewhere meanwhile says so, beside what is being sampled", () => {
  const now = message({ count: 4, judged: 2, rows: [2, 3] });
  assert.deepEqual(tileList(now).map(({ what, now, share }) => [what, now, share]), [
    ["judging", true, 1], ["judging", true, 1], ["sampling", true, 0.25], ["sampling", true, 0.25],
  ]);
  assert.equal(doingText(now), "Sampling 2 pictures: step 2 of 8 · Judging 2 pictures");
});

test("there are none once the pictures are there, and none of a search that is over", () => {
  const shown = search();
  withTiles(shown, message());
  assert.ok(tilesOf(shown));
  const update = { search: "s", version: 2, candidates: [{ id: 0 }, { id: 1 }, { id: 2 }] };
  merge(shown, update);
  assert.equal(tilesOf(shown), null);
  withTiles(shown, message()); // a late one of the round before
  assert.equal(tilesOf(shown), null);
  assert.equal(tilesOf(search({ status: "done", tiles: message() })), null);
  const cancelled = search({ tiles: message() });
  merge(cancelled, { search: "s", version: 2, status: "interrupted" });
  assert.equal(cancelled.tiles, null, "the previews are let go");
});

test("what is done is said in one line", () => {
  assert.equal(doingText(message()), "Sampling 2 pictures: step 2 of 8");
  assert.equal(doingText(message({ rows: [4], what: "decoding" })), "Decoding 1 picture");
  assert.equal(doingText(message({ what: "loading" })), "Loading the models for 2 pictures");
  assert.equal(doingText(message({ what: "judging" })), "Judging 2 pictures");
});
