// Fills the recipe of Noise from Recipe from the seed book.
import { app } from "../../scripts/app.js";
import { openBook } from "./book/dialog.js";
import { tell } from "./panel/page.js";
import { isLinked, setWidget } from "./panel/wiring.js";

app.registerExtension({
  name: "noise_search.seed_book",
  nodeCreated(node) {
    if (node.comfyClass !== "NoiseFromRecipe") return;
    const widget = node.addWidget("button", "Seed book…", null, () => open(node), { serialize: false });
    widget.serialize = false; // options.serialize: the prompt; this: the saved workflow
  },
});

function open(node) {
  if (isLinked(node, "recipe")) return tell("warn", "recipe is connected to another node: disconnect it to fill it in");
  return openBook({ walks: false, use: (recipe) => setWidget(node, "recipe", recipe) });
}
