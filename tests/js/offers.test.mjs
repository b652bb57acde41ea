// What can be done with a picture: js/panel/offers.js, js/book/entries.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { counted, describe, isWalk, shortModel } from "../../js/book/entries.js";
import { holding, offers, quick } from "../../js/panel/offers.js";

const search = (more = {}) => ({ status: "done", pictures: 8, candidates: [{ finished: true, seed: "5" }, { finished: true, seed: null }, { finished: false, seed: "6" }], ...more });
const node = { converts: true, starts: true, judged: true, replays: false };
const labels = (items) => items.map(({ label }) => label);

test("a finished picture of a plain seed can be held, varied, saved, copied and given to a KSampler", () => {
  const { hold, more, keep } = offers(search(), 0, node);
  assert.equal(hold, true);
  assert.deepEqual(labels(more).slice(0, 2), ["Subtle variations", "Strong variations"]);
  assert.deepEqual(labels(keep), ["Save as PNG", "Keep in seed book", "Open seed book…", "Copy seed", "Copy recipe", "To KSampler"]);
});

test("a mixed noise has no seed to copy and no KSampler that draws it", () => {
  const { keep } = offers(search(), 1, node);
  assert.ok(!labels(keep).includes("Copy seed") && !labels(keep).includes("To KSampler"));
});

test("a draft is neither held nor saved", () => {
  const { hold, keep } = offers(search(), 2, node);
  assert.equal(hold, false);
  assert.ok(!labels(keep).includes("Save as PNG") && !labels(keep).includes("Keep in seed book"));
  assert.deepEqual(keep.filter(({ label }) => label.includes("recipe")).map(({ act }) => act), [["copyNoise"]], "a draft cannot be made again, its noise can");
});

test("while the search runs nothing is offered that would change or queue the node", () => {
  const { hold, more, keep } = offers(search({ status: "running" }), 0, node);
  assert.equal(hold, false);
  assert.deepEqual(more, []);
  assert.ok(!labels(keep).includes("To KSampler"));
});

test("searches that need a judge are offered where there is one, and none where the node begins with a picture", () => {
  assert.equal(offers(search(), 0, { ...node, judged: false }).more.length, 2);
  assert.deepEqual(offers(search(), 0, { ...node, starts: false }).more, []);
});

test("a held noise is said to be held, a chosen one is not held yet, and varying says so", () => {
  const state = { replaying: true, varying: true, chosen: -1, held: -1 };
  assert.match(holding(state).title, /^Holding a found noise/);
  assert.match(holding({ ...state, held: 3 }).title, /^Holding #4/);
  assert.match(holding(state).text, /^Queue to make its picture again/);
  assert.match(holding({ ...state, begun: true }).text, /^Change the prompt/);
  assert.equal(holding({ ...state, chosen: 3 }), null);
  assert.match(holding({ ...state, replaying: false }).title, /^Staying near/);
  assert.equal(holding({ ...state, replaying: false, varying: false }), null);
});

const noise = { recipe: '{"noise":[]}', seed: "42", score: 0.28123, judge: "clip", prompt: "a fox", model: "", how: "random", made: 86400 };

test("a kept noise is told by prompt, score, seed, model and day", () => {
  assert.deepEqual(describe(noise), { title: "a fox", facts: ["clip 0.2812", "seed 42", "1970-01-02"] });
  assert.deepEqual(describe({ ...noise, seed: null, score: null, prompt: "", made: 0 }), { title: "No prompt known", facts: ["mixed noise, no plain seed"] });
  assert.equal(shortModel("sdxl/base_1.0.safetensors, loras\\ink.safetensors"), "base_1.0, ink");
});

test("a kept noise with a date that is no time is shown all the same", () => {
  for (const made of [1e20, -1e20, NaN, "soon"]) assert.deepEqual(describe({ ...noise, made }).facts, ["clip 0.2812", "seed 42"]);
});

test("a walk is told from a noise, and what is no recipe is neither", () => {
  assert.equal(isWalk({ recipe: '{"noise":[],"schedule":{"levels":[1,0],"flow":true}}' }), true);
  assert.equal(isWalk(noise), false);
  assert.equal(isWalk({ recipe: "nonsense" }), false);
});

test("noises are counted", () => {
  assert.equal(counted(1, ""), "1 noise");
  assert.equal(counted(3, "red"), "3 noises found");
});

test("one click uses or varies a finished picture once the search is over, and pins it at any time", () => {
  const node = { converts: true, starts: true, judged: true, replays: false };
  const search = { mine: true, status: "done", pictures: 8, pinned: [1], kept: [], result: [0], candidates: [
    { id: 0, finished: true, seed: "5" }, { id: 1, finished: true, seed: "6" }, { id: 2, finished: false, seed: "7" }] };
  const labels = (id, more = {}) => quick({ ...search, ...more }, id, node).map(({ label }) => label);
  assert.deepEqual(labels(0), ["≈", "♡", "☆"], "it is the result already");
  assert.deepEqual(labels(1), ["Use", "≈", "♡", "★"]);
  assert.deepEqual(labels(2), ["☆"], "a draft is no result");
  assert.deepEqual(labels(1, { status: "running" }), ["♡", "★"]);
  assert.deepEqual(labels(1, { mine: false }), []);
  assert.deepEqual(labels(1, { kept: [1] }), ["Use", "≈", "♥", "★"], "it is in the seed book");
});

test("where something else is on the canvas now, a noise and a picture are two things to take", () => {
  const node = { converts: true, starts: true, judged: true, replays: false, changed: true };
  const search = { mine: true, status: "done", pictures: 8, pinned: [], kept: [], result: [0], candidates: [{ id: 0, finished: true, seed: "5" }, { id: 1, finished: false, seed: "6" }] };
  const found = quick(search, 0, node);
  assert.deepEqual(found.map(({ key, label, act }) => [key, label, act[0]]).slice(0, 2), [["u", "Use noise", "use"], ["t", "This picture", "again"]], "also of what is the result");
  assert.deepEqual(quick(search, 1, node).map(({ label }) => label), ["☆"]);
});

test("a draft is made in full with one click, unless its picture is there already", () => {
  const draft = (id, began) => ({ id, how: "draft", finished: false, seed: null, began });
  const search = { mine: true, status: "done", pictures: 8, pinned: [], kept: [], result: [0], candidates: [
    { id: 0, how: "own seed", finished: true, seed: "5", began: null }, draft(1, "5"), draft(2, "6"), draft(3, null), { ...draft(4, "7"), how: "preview" }] };
  const acts = (id, more = {}, changed = false) => quick({ ...search, ...more }, id, { ...node, changed }).map(({ act }) => act[0]);
  assert.deepEqual([1, 2, 3, 4].map((id) => acts(id)), [["pin"], ["full", "pin"], ["full", "pin"], ["pin"]]);
  assert.deepEqual(acts(1, {}, true), ["full", "pin"], "other settings make another picture of it");
  assert.deepEqual([acts(2, { status: "running" }), acts(2, { mine: false })], [["pin"], []]);
  const { full } = offers(search, 2, node);
  assert.deepEqual([full.key, full.label], ["m", "Make in full"]);
  assert.equal(offers(search, 0, node).full, null);
});
