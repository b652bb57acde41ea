// The page reads only what messages hold: js/messages.js. A message here throws where anything else is read of it.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { describe as describeNoise, isWalk } from "../../js/book/entries.js";
import { ADDRESSES, EVENTS, FIELDS } from "../../js/messages.js";
import { bestOf, describe, headline, isJudged, isRunning, merge, ordered, progressOf, resultOf, statusText } from "../../js/panel/search.js";
import { arranged, placeText, staying } from "../../js/panel/stacks.js";

const strict = (kind, values) => new Proxy(values, {
  get(target, name) {
    if (typeof name === "string" && !FIELDS[kind].includes(name) && name !== "toJSON") throw new Error(`${kind} has no ${name}`);
    return target[name];
  },
});
const candidate = (id, score, more = {}) => strict("candidate", { id, how: id ? "random" : "own seed", parents: [], cost: 1, values: [score], score,
  seed: String(id), began: null, lineage: id, finished: true, picture: true, ...more });
const whole = (more = {}) => strict("search", { search: "s", node: "7", workflow: "w", version: 1, mine: true, prompt_id: "p", number: 1, columns: ["CLIP"],
  notes: [], pictures: 8, used: 2, making: 0, minutes: 0, seconds_left: 65, status: "running", result: [], stopped: "", pinned: [1], kept: [0],
  candidates: [candidate(0, 1), candidate(1, 2)], ...more });

test("what is read of anything else is seen", () => {
  assert.throws(() => whole().seconds, /search has no seconds/);
  assert.throws(() => candidate(0, 1).rank, /candidate has no rank/);
});

test("a search is shown from its fields alone, whatever state it is in", () => {
  for (const status of ["running", "paused", "finishing", "done", "interrupted", "failed"]) {
    for (const more of [{}, { columns: [] }, { result: [1], stopped: "you" }, { used: 0 }, { pictures: 1 }]) {
      const search = merge(null, whole({ status, ...more }));
      const shown = strict("search", search);
      for (const look of [bestOf, headline, isJudged, isRunning, progressOf, resultOf, statusText]) look(shown);
      ordered(shown, "best");
      ordered(shown, "newest");
      const { stacks } = arranged(shown, { by: "best", apart: false, opened: new Set(), stay: staying({ search: shown, chosen: -1, heldId: -1, marks: [], focused: -1 }) });
      for (const { id } of shown.candidates) {
        describe(shown, id);
        placeText(shown, stacks.get(id), id);
      }
    }
  }
});

test("a change is merged from its fields alone", () => {
  const update = { search: "s", node: "7", workflow: "w", version: 2, mine: true, prompt_id: "p", number: 1, candidates: [candidate(2, 3)], scores: [1, 2, 3], gone: [0] };
  const merged = merge(merge(null, whole()), strict("update", update));
  assert.deepEqual(merged.candidates.map(({ score }) => score), [1, 2, 3]);
});

test("an entry of the seed book is described from its fields alone", () => {
  const noise = strict("noise", { id: 1, recipe: "{}", seed: "5", score: 1.5, judge: "CLIP", prompt: "a cat", model: "sd.safetensors", how: "random", made: 5, picture: true });
  assert.equal(describeNoise(noise).title, "a cat");
  assert.equal(isWalk(noise), false);
});

test("every message is listened to or asked for by some module, by its name here", () => {
  const folder = new URL("../../js/", import.meta.url);
  const sources = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".js") && name !== "messages.js")
    .map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n");
  for (const name of Object.keys(EVENTS)) assert.ok(sources.includes(`EVENTS.${name}`), name);
  for (const name of Object.keys(ADDRESSES)) assert.ok(sources.includes(`ADDRESSES.${name}`), name);
});
