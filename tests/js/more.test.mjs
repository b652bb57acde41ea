// Searching on where a search has ended: js/panel/more.js.
import assert from "node:assert/strict";
import { test } from "node:test";

import { goFurther, offersOfMore } from "../../js/panel/more.js";

const search = (more = {}) => ({ mine: true, status: "done", stopped: "pictures", pictures: 8, minutes: 0, ...more });
const acts = (more, replays = false, changed = false) => offersOfMore(search(more), { replays, changed }).map(({ act }) => act);
const widgets = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]));

test("a search that is over goes on with more pictures, or from another seed", () => {
  assert.deepEqual(acts({}), ["further", "anew"]);
  assert.deepEqual(acts({ status: "interrupted", stopped: "" }), ["further", "anew"]);
  assert.deepEqual(acts({ stopped: "minutes", minutes: 2 }), ["longer", "anew"]);
  assert.deepEqual(acts({}, false, true), ["anew"], "other settings make other pictures");
  assert.deepEqual(acts({ stopped: "target" }), ["anew"], "more pictures would end at the same place");
});

test("nothing is offered while it runs, of one held picture, and of another page's", () => {
  assert.deepEqual([acts({ status: "running" }), acts({ pictures: 1 }), acts({}, true), acts({ mine: false })], [[], [], [], []]);
});

test("it sets what the node asks for", () => {
  const found = widgets({ pictures: 8, minutes: 2, seed: 5 });
  for (const act of ["further", "longer", "anew"]) assert.equal(goFurther(act, search({ minutes: 2 }), (name) => found[name]), "");
  assert.deepEqual([found.pictures.value, found.minutes.value], [16, 4]);
  assert.ok(Number.isSafeInteger(found.seed.value) && found.seed.value !== 5);
});

test("an input that another node gives is named, and nothing is set", () => {
  assert.equal(goFurther("anew", search(), () => undefined), "seed");
});
