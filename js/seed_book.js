// Fills the recipe of Noise from Recipe from the seed book.
import { app } from "../../scripts/app.js";
import { openBook } from "./book/dialog.js";
import { tell } from "./panel/page.js";
import { isLinked, labelOf, setWidget } from "./panel/wiring.js";
import { say } from "./words.js";

app.registerExtension({
  name: "noise_search.seed_book",
  nodeCreated(node) {
    if (node.comfyClass !== "NoiseFromRecipe") return;
    const widget = node.addWidget("button", say("Seed book…"), null, () => open(node), { serialize: false });
    widget.serialize = false; // options.serialize: the prompt; this: the saved workflow
  },
});

function open(node) {
  if (isLinked(node, "recipe")) return tell("warn", say("{input} is connected to another node: disconnect it to fill it in", { input: labelOf(node.inputs, "recipe") }));
  return openBook({ walks: false, use: (recipe) => setWidget(node, "recipe", recipe) });
}
