// What the panel makes of the server's events: js/panel/search.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bestOf, describe, headline, isRunning, isWorse, merge, nameOf, names, ordered, progressOf, resultOf, score, spoken, statusText, triedText } from "../../js/panel/search.js";

const candidate = (id, score, more = {}) => ({ id, how: id ? "random" : "own seed", parents: [], cost: 1, values: [score], score, seed: String(1000 + id), began: null, lineage: id,
                                               finished: true, picture: true, ...more });
const search = (scores, more = {}) => ({ search: "s", node: "7", workflow: "w", version: 1, status: "running", stopped: "", columns: ["CLIP"], notes: [],
                                         pictures: 8, used: scores.length, making: 0, minutes: 0, seconds_left: 65, result: [], pinned: [], kept: [],
                                         candidates: scores.map((score, id) => candidate(id, score)), ...more });

test("new candidates are added, and what is told of the old ones is taken over", () => {
  const merged = merge(search([1, 2]), { search: "s", version: 2, candidates: [candidate(2, 5)], scores: [3, 1, 2], gone: [1], used: 3 });
  assert.deepEqual(merged.candidates.map(({ score }) => score), [3, 1, 2]);
  assert.deepEqual(merged.candidates.map(({ picture }) => picture), [true, false, true]);
  assert.equal(merged.used, 3);
});

test("an event that was missed is noticed, one that came late changes nothing", () => {
  assert.equal(merge(search([1]), { search: "s", version: 3, candidates: [candidate(1, 9)] }), null);
  const known = search([1], { version: 5 });
  assert.deepEqual(merge(structuredClone(known), { search: "s", version: 5, candidates: [candidate(1, 9)] }), known);
});

test("a search that the page knows nothing of is asked for, unless the event holds all of it", () => {
  assert.equal(merge(search([1]), { search: "another", version: 2, used: 1 }), null);
  assert.equal(merge(null, { search: "s", version: 2, used: 1 }), null);
  assert.equal(merge(search([1, 2]), search([], { search: "another" })).candidates.length, 0);
});

test("the best is a finished picture, the first of equal ones, and the own seed where nothing judges", () => {
  const drafted = search([1, 9, 4, 4]);
  drafted.candidates[1].finished = false;
  assert.equal(bestOf(drafted), 2);
  assert.equal(bestOf(search([null, null], { columns: [] })), 0);
  assert.equal(bestOf(search([])), -1);
});

test("the result is what the server says it is, and until then the best so far", () => {
  assert.equal(resultOf(search([1, 3, 2])), 1);
  assert.equal(resultOf(search([1, 3, 2], { result: [2] })), 2);
});

test("pinned pictures come first, then the best or the newest, drafts last", () => {
  const found = search([3, 5, 9, 4], { pinned: [0] });
  found.candidates[2].finished = false;
  assert.deepEqual(ordered(found, "best"), [0, 1, 3, 2]);
  assert.deepEqual(ordered(found, "newest"), [0, 3, 2, 1]);
  assert.deepEqual(ordered(search([null, null, null], { columns: [] }), "best"), [0, 1, 2]);
});

test("the line on top says what is going on in every state", () => {
  assert.equal(statusText(search([])), "Starting: 8 pictures");
  assert.equal(statusText(search([], { making: 0.4 })), "Making the first of 8 pictures");
  assert.equal(statusText(search([1, 2])), "2 of 8, 1:05 left");
  assert.equal(statusText(search([1, 2], { seconds_left: null })), "2 of 8");
  assert.equal(statusText(search([1, 2], { status: "paused" })), "Paused at 2 of 8");
  assert.equal(statusText(search([1, 2], { status: "finishing" })), "Finishing with the best so far");
  assert.equal(statusText(search([1, 2], { status: "done", stopped: "you" })), "Done: 2 of 8, finished by you");
  assert.equal(statusText(search([1, 2], { status: "done", stopped: "pictures", pictures: 2 })), "Done: 2 pictures");
  assert.equal(statusText(search([1], { status: "done", stopped: "pictures", used: 7.97 })), "Done: 8 pictures"); // drafts leave a rest
  assert.equal(statusText(search([1, 2], { status: "interrupted" })), "Cancelled after 2 of 8");
  assert.equal(statusText(search([1], { status: "failed", used: 1.25 })), "Stopped by an error after 1.3 of 8");
});

test("a search runs while it is paused, and not once it is over", () => {
  assert.deepEqual(["running", "paused", "finishing", "done", "interrupted", "failed"].map((status) => isRunning({ status })),
                   [true, true, true, false, false, false]);
  assert.equal(isRunning(null), false);
});

test("the bar never passes its end", () => {
  assert.equal(progressOf(search([1, 2], { making: 2 })), 0.5);
  assert.equal(progressOf(search([1, 2], { used: 9 })), 1);
  assert.equal(progressOf(search([1, 2], { status: "done" })), 1);
});

test("the gain is told against the own seed, and nothing is claimed without a judge", () => {
  assert.deepEqual(headline(search([20, 23.5])), ["Best 23.5", "+3.5 over your seed (20)"]);
  assert.match(headline(search([20, 3]))[1], /your seed leads/);
  assert.deepEqual(headline(search([20, 23.5, 22], { status: "done", result: [2] })), ["Result 22", "+2 over your seed (20)"], "what was taken, not what scored best");
  const worse = search([20, 17.13], { status: "done", result: [1] });
  assert.deepEqual(headline(worse), ["Result 17.13", "2.87 below your seed (20)"], "a loss is no gain");
  assert.ok(isWorse(worse) && !isWorse(search([20, 23.5])) && !isWorse(search([20, 20], { status: "done", result: [1] })));
  assert.deepEqual(headline(search([20, 23.5], { status: "done", result: [0] })), ["Result 20", "your seed was taken"]);
  assert.doesNotMatch(headline(search([null, null], { columns: [] })).join(), /\d/);
});

test("a picture that a second judge took is shown as that, until the artist chooses", () => {
  const accepted = { judge: "ImageReward", ids: [1, 2], scores: [0.2, 0.9] };
  const done = search([20, 23.5, 22], { status: "done", result: [2], accepted });
  assert.deepEqual(headline(done), ["Result 22", "+2 over your seed (20), accepted by ImageReward"]);
  assert.deepEqual(headline({ ...done, result: [0] }), ["Result 20", "your seed was accepted by ImageReward"]);
  assert.deepEqual(headline({ ...done, stopped: "choice", result: [1] }), ["Best 23.5", "+3.5 over your seed (20), picked by you"]);
  assert.deepEqual(describe(done, 2).values, [["CLIP", "22"], ["accept: ImageReward", "0.9"]]);
  assert.deepEqual(describe(done, 0).values, []);
});

test("a candidate tells how it was made, from what, and every verifier's value", () => {
  const found = search([1, 2], { columns: ["CLIP", "aesthetic"] });
  found.candidates[1] = candidate(1, 2, { how: "neighbor", parents: [0], seed: null, values: [24.126, 5.5] });
  assert.deepEqual(describe(found, 1), { title: "#2 neighbor of #1", seed: "mixed noise, no plain seed", score: "2", values: [["CLIP", "24.13"], ["aesthetic", "5.5"]] });
  assert.equal(describe(search([7]), 0).seed, "seed 1000");
});

test("how a candidate began is said of drafts and refined pictures, and mixed noise only of what is mixed", () => {
  const found = search([1, 2, 3, 4]);
  Object.assign(found.candidates[1], { how: "draft", seed: null, began: "77", lineage: 1 });
  Object.assign(found.candidates[2], { how: "neighbor", seed: null, lineage: 0 });
  assert.deepEqual([0, 1, 2].map((id) => describe(found, id).seed), ["seed 1000", "began with seed 77", "mixed noise, no plain seed"]);
  Object.assign(found.candidates[0], { how: "own picture", seed: null });
  Object.assign(found.candidates[3], { how: "refined", seed: null, lineage: 0 });
  assert.deepEqual([0, 3].map((id) => describe(found, id).seed), ["began with your picture", "began with your picture"]);
});

test("seeds above 2^53 stay what they are: text", () => {
  const found = search([1]);
  found.candidates[0].seed = "18446744073709551615";
  assert.equal(describe(found, 0).seed, "seed 18446744073709551615");
});

test("scores and times are short", () => {
  assert.deepEqual([24.126, 0.5, 1234.56, -3, 0, 20].map(score), ["24.13", "0.5", "1234.6", "-3", "0", "20"]);
  assert.deepEqual([0, 65, 3600, 3725].map(spoken), ["0:00", "1:05", "1:00:00", "1:02:05"]);
});

test("pages number from 1, as Human Pick and the texts do; the first one by what it is", () => {
  assert.deepEqual([0, 6].map((id) => nameOf({ id, how: "random" })), ["#1", "#7"]);
  assert.equal(nameOf({ id: 0, how: "own seed" }), "your seed");
  assert.equal(names([0, 6]), "#1, #7");
});

test("what was tried is told from what it cost, where some of it is only a part of a picture", () => {
  const found = { candidates: Array(37).fill({}) };
  assert.equal(triedText({ ...found, used: 11.6 }), "37 tried, some only in part");
  assert.equal(triedText({ ...found, used: 37 }), "37 tried");
  assert.equal(triedText({ ...found, used: 36.98 }), "37 tried");
});
