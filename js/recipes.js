// Fills in the recipes that a workflow brings: a saved picture that is dropped on the canvas makes itself again.
import { app } from "../../scripts/app.js";
import { placesOf, takeOut } from "./panel/fill.js";
import { openDialog, rootGraph } from "./panel/page.js";
import { setValue } from "./panel/wiring.js";
import { say } from "./words.js";

app.registerExtension({
  name: "noise_search.recipes",
  setup() {
    const open = app.handleFile;
    app.handleFile = async function (file, ...given) {
      const result = await open.call(this, file, ...given);
      await fillFromScript(file);
      return result;
    };
  },
  afterConfigureGraph: () => fill(takeOut(rootGraph())),
});

function fill(recipes) {
  for (const { widget, texts } of placesOf(rootGraph(), recipes)) {
    if (texts.length === 1) setValue(widget, texts[0]);
    else askWhich(texts, (text) => setValue(widget, text));
  }
}

// A picture that a script made has no workflow: the page builds one of its prompt, and the recipes stand beside that.
async function fillFromScript(file) {
  if (file?.type !== "image/png") return;
  const found = await window.comfyAPI?.pnginfo?.getPngMetadata?.(file);
  if (!found?.prompt || found.workflow || !found.noise_search) return;
  fill(JSON.parse(found.noise_search).recipes ?? {});
}

function askWhich(texts, take) {
  const said = Object.assign(document.createElement("p"), {
    textContent: say("This picture was made together with others, from a list of {count}, and its file cannot tell which recipe is its own. Which one shall be filled in?", { count: texts.length }),
  });
  const buttons = Object.assign(document.createElement("div"), { className: "ns-choices" });
  const button = (label, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: label });
    made.addEventListener("click", () => { act(); dialog.close(); });
    buttons.append(made);
  };
  texts.forEach((text, place) => button(say("No. {number}", { number: place + 1 }), () => take(text)));
  button(say("None: search again"), () => take(""));
  const content = document.createElement("div");
  content.className = "ns-panel";
  content.append(said, buttons);
  const dialog = openDialog(content);
  dialog.classList.add("ns-ask");
}
