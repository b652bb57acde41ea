// Which rows of a search node are folded away: js/panel/rows.js.
import assert from "node:assert/strict";
import { test } from "node:test";

import { fold } from "../../js/panel/rows.js";

const widget = (name, value, advanced) => ({ name, value, options: advanced ? { advanced: true } : {} });

function made(links = {}) {
  const widgets = [widget("seed", 5), widget("pictures", 8), widget("minutes", 0), widget("keep", 1), widget("recipe", ""), widget("patience", 0, true)];
  const inputs = widgets.map(({ name }) => ({ name, link: links[name] ?? null }));
  const node = Object.assign(Object.create({ getLayoutWidgets() { return this.widgets; } }), { widgets, inputs });
  fold(node); // as it is created, with its defaults
  return node;
}

const seen = (node) => node.getLayoutWidgets().map(({ name }) => name);

test("what is seldom set is folded away, and takes no room", () => {
  const node = made();
  assert.deepEqual(seen(node), ["seed", "pictures"]);
  node.showAdvanced = true;
  assert.equal(seen(node).length, 6);
});

test("a limit that somebody has set is seen, and what is connected", () => {
  const node = made({ patience: 3 });
  assert.deepEqual(seen(node), ["seed", "pictures", "patience"]);
  node.widgets[2].value = 4;
  fold(node);
  assert.deepEqual(seen(node), ["seed", "pictures", "minutes", "patience"]);
  assert.equal(node.widgets[2].options.advanced, false, "in Nodes 2.0 as well");
  node.widgets[2].value = 0;
  node.inputs[5].link = null;
  node.widgets[5].value = 4;
  fold(node);
  assert.deepEqual(seen(node), ["seed", "pictures", "patience"], "also of what the server says is advanced");
  assert.equal(node.widgets[2].options.advanced, true);
});

test("a recipe that is held is told by the panel, not by its row", () => {
  const node = made();
  node.widgets[4].value = "{}";
  fold(node);
  assert.deepEqual(seen(node), ["seed", "pictures"]);
});
